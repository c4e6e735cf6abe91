"""Trajectories a second that verification handles, without replay and with it."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from curation.images import ImageStore
from curation.rollouts.actions import Workbench
from curation.sandbox import Limits, Sandbox
from curation.stages.draw import drive
from curation.stages.verify import WORKERS
from curation.tools import toolbox
from curation.verification import Gallery, error_free, examine, replay
from tests.bench.figure import Figure
from tests.curation.verification.teacher import Real, taught

BAR = 40.0
REPLAYED_BAR = 10.0


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--trajectories", type=int, default=128, help="trajectories (128)")


def measure(*, trajectories: int) -> Iterator[Figure]:
    """Real trajectories of charts and documents, each seen once, as many at a time as the stage."""
    plain, replayed = asyncio.run(_rates(trajectories))
    yield Figure("verify: without replay", plain, BAR, unit="trajectories/s")
    yield Figure("verify: with replay", replayed, REPLAYED_BAR, unit="trajectories/s")


async def _rates(trajectories: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = ImageStore(Path(folder))
        async with Sandbox(Limits(cell_seconds=60)) as sandbox:
            # A third as many zoom as run code.
            reals = await taught(store.folder, sandbox, trajectories * 3 // 4)
            checker = _Checker(store, sandbox)
            return await _rate(reals, checker.examine), await _rate(reals, checker.all)


async def _rate(reals: Sequence[Real], work: Callable[[Real], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await drive(reals, work, workers=WORKERS)
    return len(reals) / (time.perf_counter() - started)


class _Checker:
    """What the stage does with a rollout, without the run folder."""

    def __init__(self, store: ImageStore, sandbox: Sandbox) -> None:
        self._read, self._sandbox = store.read, sandbox
        self._gallery = Gallery(self._read)

    async def examine(self, real: Real) -> None:
        case = real.case(self._gallery)
        error_free(case)
        examine(case)

    async def all(self, real: Real) -> None:
        """With pictures decoded anew, as if the first round had not been."""
        gallery = Gallery(self._read)
        case = real.case(gallery)
        error_free(case)
        examine(case)
        workbench = Workbench(self._sandbox, toolbox(real.rollout.dialect))
        async with workbench.bench([real.image], real.rollout.seed) as bench:
            await replay(case, bench)
