"""Share of the direct stage's time that progress and telemetry take, in one run on a terminal."""

from __future__ import annotations

import argparse
import io
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.live import Live

from curation.job import Job
from curation.models import Usage
from curation.panel import Bar, Panel
from curation.recipes.file import parse_recipe
from curation.runs import Run
from curation.stages.roll import roll
from curation.telemetry import Recorder
from curation.telemetry.engine import Engine
from tests.bench.figure import Figure
from tests.bench.world import serving
from tests.simulator import BEFORE_REQUESTS

BAR = 2.0
_RECIPE = """
[[sources]]
use = "tests.bench.world:sums"
limit = {samples}
[policy]
url = "{url}"
[arms.direct]
n = 8
curtail = false
[decide]
preset = "deepeyes"
fine_grained = []
"""
_MEASURED = (
    (Live, "refresh"),
    (Bar, "advance"),
    (Usage, "add"),
    (Engine, "take"),
    (Recorder, "_keep"),
)


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--samples", type=int, default=4000, help="samples of the stage (4000)")


def measure(*, samples: int) -> Iterator[Figure]:
    """On a server that answers at once, which leaves the least time to hide in."""
    spent: defaultdict[str, float] = defaultdict(float)
    with TemporaryDirectory() as folder, serving() as url:
        recipe = parse_recipe(_RECIPE.format(samples=samples, url=url), "telemetry")
        terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
        with Panel(terminal) as panel, Job.open(recipe, Run(Path(folder) / "run"), panel) as job:
            for work in BEFORE_REQUESTS:
                panel.counted(work(job), 1.0)
            with measuring(spent):
                started = time.perf_counter()
                count = roll(job, "direct")
                seconds = time.perf_counter() - started
    parts = ", ".join(f"{name} {1000 * part:.0f} ms" for name, part in sorted(spent.items()))
    print(f"telemetry: {count.kept:,} rollouts in {seconds:.1f} s; {parts}", flush=True)
    share = 100 * sum(spent.values()) / seconds
    yield Figure("telemetry: share of the stage's time", share, BAR, ceiling=True, unit="%")


@contextmanager
def measuring(spent: defaultdict[str, float]) -> Iterator[None]:
    """Count the processor time of everything that is done beside the work."""
    with ExitStack() as stack:
        for owner, name in _MEASURED:
            timed = _timed(getattr(owner, name), f"{owner.__name__}.{name}", spent)
            stack.enter_context(patch.object(owner, name, timed))
        stack.enter_context(patch.object(Usage, "flight", _timed_flight(spent)))
        yield


def _timed(
    method: Callable[..., Any], name: str, spent: defaultdict[str, float]
) -> Callable[..., Any]:
    def timed(*arguments: Any, **settings: Any) -> Any:
        with _clocked(name, spent):
            return method(*arguments, **settings)

    return timed


def _timed_flight(spent: defaultdict[str, float]) -> Callable[..., Any]:
    """A flight is long and costs something at its two ends."""
    flight = Usage.flight

    @contextmanager
    def timed(usage: Usage) -> Iterator[None]:
        context = flight(usage)
        with _clocked("Usage.flight", spent):
            context.__enter__()
        try:
            yield
        finally:
            with _clocked("Usage.flight", spent):
                context.__exit__(None, None, None)

    return timed


@contextmanager
def _clocked(name: str, spent: defaultdict[str, float]) -> Iterator[None]:
    started = time.thread_time()
    try:
        yield
    finally:
        spent[name] += time.thread_time() - started
