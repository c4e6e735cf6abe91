"""Memory and time of whole runs against a scripted server, how time grows with samples, and what
the largest run takes to be counted and to be started again."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from curation.manifest import read_manifest
from curation.runs import Run
from tests.bench import world
from tests.bench.figure import Figure

MOST_GIB = 2.0
MOST_GROWTH = 1.1
"""Time a sample of the largest run over that of the smallest: ten times the samples may take eleven
times as long."""
MOST_FUNNEL_SECONDS = 1.0
MOST_AGAIN_SECONDS = 10.0
"""For a run of which everything is done, from the command line to its end."""

_ROOT = Path(__file__).parents[2]
_FUNNEL = "SELECT dropped_by, count(*) FROM verdicts GROUP BY 1"
_RECIPE = """
[[sources]]
use = "tests.bench.world:sums"
name = "sums"
limit = {samples}
[[filters]]
use = "min_image_side"
at_least = 28
[[filters]]
use = "question_length"
[policy]
url = "{url}"
max_tokens = 64
[arms.direct]
n = 8
curtail = false
[arms.tools]
n = 2
dialect = "deepeyes-v2"
[decide]
preset = "deepeyes"
fine_grained = []
[[exports]]
target = "verl"
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run cost."""

    samples: int
    seconds: float
    cpu_seconds: float
    """Of the pipeline and its sandbox; unlike `seconds`, little disturbed by other programs."""
    gib: float
    """Peak resident memory of the pipeline's process."""
    stages: dict[str, float]
    """Seconds by stage."""
    funnel: float
    """Seconds to open the run and count why samples were dropped."""
    again: float
    """Seconds to start again when everything is done."""
    again_cpu: float

    def __str__(self) -> str:
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.stages.items())
        return (
            f"scale: {self.samples:,} samples in {self.seconds:.1f} s"
            f" ({self.cpu_seconds:.1f} s of CPU) with {self.gib:.2f} GiB (seconds: {stages});"
            f" funnel {self.funnel:.2f} s, again {self.again:.1f} s ({self.again_cpu:.1f} s of CPU)"
        )


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument(
        "--samples",
        type=int,
        nargs="+",
        default=[100_000, 1_000_000],
        help="sizes of the runs, growing; the first is compared with the last (100000 1000000)",
    )
    command.add_argument(
        "--keep", type=Path, help="an empty folder for the runs, which then stay there"
    )


def measure(*, samples: Sequence[int], keep: Path | None) -> Iterator[Figure]:
    """Run every size in turn; the first is compared with the last."""
    outcomes = []
    for size in samples:
        with _folder(keep) as folder, world.serving() as url:
            outcomes.append(run(Path(folder), url, size))
        print(outcomes[-1], flush=True)
    first, last = outcomes[0], outcomes[-1]
    yield Figure(f"scale: peak memory of {last.samples:,} samples", last.gib, MOST_GIB, True, "GiB")
    yield Figure("scale: the funnel", last.funnel, MOST_FUNNEL_SECONDS, ceiling=True, unit="s")
    yield Figure("scale: starting again", last.again, MOST_AGAIN_SECONDS, ceiling=True, unit="s")
    if last.samples > first.samples:
        growth = (last.seconds / last.samples) / (first.seconds / first.samples)
        name = f"scale: time a sample, {last.samples:,} over {first.samples:,} samples"
        yield Figure(name, growth, MOST_GROWTH, ceiling=True)


def _folder(keep: Path | None) -> AbstractContextManager[str]:
    return tempfile.TemporaryDirectory() if keep is None else nullcontext(str(keep))


def run(folder: Path, url: str, samples: int) -> Outcome:
    """One run through the command line, in a process of its own; its funnel; and the same run once
    more, which finds nothing to do."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe, work = folder / f"sums-{samples}.toml", folder / f"run-{samples}"
    recipe.write_text(_RECIPE.format(samples=samples, url=url))
    log = folder / f"run-{samples}.log"
    words = ["run", str(recipe), "--run", str(work)]
    seconds, cpu, gib = timed(words, log)
    stages = {name: entry.seconds for name, entry in read_manifest(Run(work)).stages.items()}
    started = time.monotonic()
    with Run(work).connect() as db:
        db.execute(_FUNNEL).fetchall()
    funnel = time.monotonic() - started
    again, again_cpu, again_gib = timed(words, log)
    return Outcome(samples, seconds, cpu, max(gib, again_gib), stages, funnel, again, again_cpu)


def timed(words: Sequence[str], log: Path) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and GiB that a command of `toolsight` takes."""
    started = time.monotonic()
    usage = run_command(words, log)
    seconds = time.monotonic() - started
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20  # Linux counts KiB.


def run_command(words: Sequence[str], log: Path) -> resource.struct_rusage:
    """Run a command of `toolsight` to its end; what it used, or RuntimeError with its log."""
    command = [sys.executable, "-m", "curation", *words]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the run ended with {process.returncode}:\n{log.read_text()}")
    return usage
