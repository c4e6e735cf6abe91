"""Rows lost and doubled by runs that are killed at random moments while their server fails."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.figure import Figure
from tests.chaos import ordeal


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--kills", type=int, default=50, help="times that a run is killed (50)")
    command.add_argument("--samples", type=int, default=18, help="samples of a run (18)")
    command.add_argument(
        "--share", type=float, default=0.1, help="of requests, for each of eight faults (0.1)"
    )
    command.add_argument("--seed", type=int, default=0, help="of faults and moments (0)")


def measure(*, kills: int, samples: int, share: float, seed: int) -> Iterator[Figure]:
    """Both figures have to be zero."""
    with TemporaryDirectory() as folder:
        outcome = ordeal(Path(folder), kills=kills, samples=samples, share=share, seed=seed)
    print(outcome, flush=True)
    yield Figure("chaos: rows lost", outcome.lost, 0, ceiling=True)
    yield Figure("chaos: rows doubled", outcome.doubled, 0, ceiling=True)
