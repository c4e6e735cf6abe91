"""Output tokens a second of a real vLLM with the embedded model, with curtailed sampling over those
without it, and the share of the time that the process of the model computes in either case."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil

from curation.job import Job
from curation.recipes.file import parse_recipe
from curation.runs import Run
from curation.stages.roll import roll
from tests.bench.figure import Figure
from tests.simulator import BEFORE_REQUESTS

BAR = 0.90
_RECIPE = """
[[sources]]
use = "easy_vqa"
limit = {samples}
[policy]
embedded = true
max_tokens = 64
[arms.direct]
n = 8
curtail = {curtail}
[arms.tools]
n = 8
[decide]
{rules}
"""
_RULES = {
    "deepeyes-v2": 'preset = "deepeyes-v2"',
    "deepeyes": 'preset = "deepeyes"\nfine_grained = []',
}


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bar is stated for."""
    command.add_argument("--samples", type=int, default=2000, help="samples of the pool (2000)")
    command.add_argument("--rounds", type=int, default=3, help="of all runs; medians count (3)")


def measure(samples: int, rounds: int) -> Iterator[Figure]:
    """Both presets of the papers, over the full draw of the same round."""
    shares: dict[str, list[float]] = {preset: [] for preset in _RULES}
    for _ in range(rounds):
        full = tokens_a_second("deepeyes-v2", samples, curtail=False)
        for preset, known in shares.items():
            known.append(tokens_a_second(preset, samples, curtail=True) / full)
    for preset, known in shares.items():
        title = f"engine: {preset}: output tokens a second, curtailed over full"
        yield Figure(title, median(known), BAR)


def tokens_a_second(preset: str, samples: int, *, curtail: bool) -> float:
    """Of the direct stage of a run of its own, with a server of its own: the caches of an engine
    that has seen the samples would answer for it."""
    text = _RECIPE.format(samples=samples, curtail=str(curtail).lower(), rules=_RULES[preset])
    with (
        TemporaryDirectory() as folder,
        Job.open(parse_recipe(text, "engine"), Run(Path(folder) / "run")) as job,
    ):
        for work in BEFORE_REQUESTS:
            work(job)
        job.client(job.recipe.policy)  # Starting the server is not what is measured.
        worker = _worker()
        started, busy = time.perf_counter(), _computed(worker)
        count = roll(job, "direct")
        seconds, busy = time.perf_counter() - started, _computed(worker) - busy
        turns = "SELECT unnest(turns, recursive := true) FROM rollouts"
        tokens = job.run.value(f"SELECT sum(completion_tokens) FROM ({turns})")
    name = f"{preset}, curtailed" if curtail else "full draw"
    said = f"{count.kept:,} replies, {tokens:,} tokens in {seconds:.1f} s"
    print(f"engine: {name}: {said}; the model computes in {busy / seconds:.0%} of it", flush=True)
    return float(tokens) / seconds


def _worker() -> psutil.Process:
    """The process that the model runs in: vLLM gives it its name."""
    family = psutil.Process().children(recursive=True)
    return next(process for process in family if "Worker" in process.name())


def _computed(process: psutil.Process) -> float:
    """CPU seconds so far; waiting costs none (`curation.models.cpu_shim`)."""
    times = process.cpu_times()
    return float(times.user + times.system)
