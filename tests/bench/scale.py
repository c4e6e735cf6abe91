"""Memory and time of whole runs against a scripted server, and how time grows with samples."""

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
MOST_GROWTH = 1.25
"""Time a sample of the largest run over that of the smallest."""

_ROOT = Path(__file__).parents[2]
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

    def __str__(self) -> str:
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.stages.items())
        return (
            f"scale: {self.samples:,} samples in {self.seconds:.1f} s"
            f" ({self.cpu_seconds:.1f} s of CPU) with {self.gib:.2f} GiB (seconds: {stages})"
        )


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument(
        "--samples",
        type=int,
        nargs="+",
        default=[10_000, 100_000],
        help="sizes of the runs, growing; the first is compared with the last (10000 100000)",
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
    if last.samples > first.samples:
        growth = (last.seconds / last.samples) / (first.seconds / first.samples)
        name = f"scale: time a sample, {last.samples:,} over {first.samples:,} samples"
        yield Figure(name, growth, MOST_GROWTH, ceiling=True)


def _folder(keep: Path | None) -> AbstractContextManager[str]:
    return tempfile.TemporaryDirectory() if keep is None else nullcontext(str(keep))


def run(folder: Path, url: str, samples: int) -> Outcome:
    """One run through the command line, in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe, work = folder / f"sums-{samples}.toml", folder / f"run-{samples}"
    recipe.write_text(_RECIPE.format(samples=samples, url=url))
    log = folder / f"run-{samples}.log"
    started = time.monotonic()
    usage = run_command(["run", str(recipe), "--run", str(work)], log)
    seconds = time.monotonic() - started
    gib = usage.ru_maxrss / 2**20  # Linux counts KiB.
    stages = {name: entry.seconds for name, entry in read_manifest(Run(work)).stages.items()}
    return Outcome(samples, seconds, usage.ru_utime + usage.ru_stime, gib, stages)


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
