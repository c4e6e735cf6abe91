"""Opening, running, throughput and memory of sandbox sessions, and a thousand of them in a row."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import statistics
import subprocess
import time
from collections.abc import Iterator

from jupyter_client.manager import start_new_kernel
from matplotlib.cbook import get_sample_data
from PIL import Image

from curation.sandbox import Sandbox
from tests.bench.figure import Figure
from tests.curation.sandbox.processes import fork_server, own_memory, sessions

MOST_OPEN_MS = 40.0
LEAST_RATIO = 40.0
MOST_CELL_MS = 1.0
LEAST_RATE = 12.0
MOST_OWN_MB = 25.0
MOST_GROWTH_MB = 16.0
"""Of a process over a thousand sessions; a leak of one image a session would be 2 GB."""

IN_FLIGHT = 4
IMPORTS = "import cv2, numpy, PIL.Image, scipy.ndimage\nfrom matplotlib import pyplot"
CELLS = (
    "crop = image_1.crop((100, 100, 500, 500)); show(crop)",
    "grey = np.asarray(crop).mean(axis=2); grey.mean()",
    "show(crop.resize((800, 800))); 'done'",
)
HELD = "kept = np.ones((1024, 1024, 3), 'u1'); 'done'"


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--rounds", type=int, default=100, help="sessions a median (100)")
    command.add_argument("--kernels", type=int, default=5, help="ipykernels to start (5)")
    command.add_argument("--row", type=int, default=1000, help="sessions in a row (1000)")
    command.add_argument("--at-once", type=int, default=64, help="sessions open at once (64)")


def measure(*, rounds: int, kernels: int, row: int, at_once: int) -> Iterator[Figure]:
    """All figures; medians are of `rounds` sessions or cells, and of `kernels` kernels."""
    kernel = statistics.median(kernel_seconds() for _ in range(kernels))
    print(f"sandbox: an ipykernel with the same imports is ready after {kernel:.2f} s", flush=True)
    with asyncio.Runner() as runner:
        sandbox = Sandbox(sessions=max(at_once, IN_FLIGHT))
        runner.run(sandbox.__aenter__())
        try:
            opening = runner.run(open_seconds(sandbox, rounds))
            yield Figure("sandbox: median opening", 1e3 * opening, MOST_OPEN_MS, True, "ms")
            yield Figure("sandbox: opening over an ipykernel's", kernel / opening, LEAST_RATIO)
            cell = runner.run(cell_seconds(sandbox, rounds))
            yield Figure("sandbox: median warm cell", 1e3 * cell, MOST_CELL_MS, True, "ms")
            rate = runner.run(sessions_a_second(sandbox, rounds))
            yield Figure("sandbox: whole sessions a second", rate, LEAST_RATE)
            own = runner.run(own_mb(sandbox))
            yield Figure("sandbox: own memory of a session", own, MOST_OWN_MB, True, "MB")
            yield from in_a_row(runner, sandbox, row)
            yield from all_at_once(runner, sandbox, at_once)
        finally:
            runner.run(sandbox.close())


def kernel_seconds() -> float:
    """From nothing to the answer of a kernel that has imported the libraries."""
    started = time.perf_counter()
    # It warns of its open port on stderr.
    manager, client = start_new_kernel(kernel_name="python3", stderr=subprocess.DEVNULL)
    try:
        client.execute_interactive(IMPORTS, timeout=300)
        return time.perf_counter() - started
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


async def open_seconds(sandbox: Sandbox, rounds: int) -> float:
    """Median time to a session that is ready, all libraries imported."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        session = await sandbox.open()
        times.append(time.perf_counter() - started)
        await session.close()
    return statistics.median(times)


async def cell_seconds(sandbox: Sandbox, rounds: int) -> float:
    """Median time of a cell that computes next to nothing, in a session that ran one before."""
    times = []
    async with await sandbox.open() as session:
        for _ in range(rounds):
            started = time.perf_counter()
            await session.run("1 + 1")
            times.append(time.perf_counter() - started)
    return statistics.median(times)


async def sessions_a_second(sandbox: Sandbox, rounds: int) -> float:
    """Open with an image, three cells, two images out, close; a few sessions at a time."""
    image, free = photo(), asyncio.Semaphore(IN_FLIGHT)

    async def one() -> bool:
        async with free:
            return await whole(sandbox, image)

    started = time.perf_counter()
    done = await asyncio.gather(*[one() for _ in range(rounds)])
    if not all(done):
        raise RuntimeError(f"{done.count(False)} sessions were lost")
    return rounds / (time.perf_counter() - started)


async def own_mb(sandbox: Sandbox) -> float:
    """Memory that only a session holds, with an image and an array of 3 MB in it."""
    async with await sandbox.open([photo()]) as session:
        await session.run(HELD)
        (pid,) = sessions(sandbox)
        return own_memory(pid) / 1e6


def in_a_row(runner: asyncio.Runner, sandbox: Sandbox, count: int) -> Iterator[Figure]:
    """Sessions one after the other: how many were lost, and what the processes grew by."""
    image = photo()

    async def run(times: int) -> int:
        return [await whole(sandbox, image) for _ in range(times)].count(False)

    runner.run(run(20))  # caches fill up
    processes = {"host process": os.getpid(), "fork server": fork_server(sandbox)}
    before = {name: own_memory(pid) for name, pid in processes.items()}
    yield Figure(f"sandbox: lost of {count:,} in a row", runner.run(run(count)), 0, True)
    for name, pid in processes.items():
        growth = (own_memory(pid) - before[name]) / 1e6
        yield Figure(f"sandbox: growth of the {name}", growth, MOST_GROWTH_MB, True, "MB")


def all_at_once(runner: asyncio.Runner, sandbox: Sandbox, count: int) -> Iterator[Figure]:
    """Sessions that are all open before the first cell runs: how many were lost."""
    image = photo()

    async def run() -> int:
        opened = await asyncio.gather(*[sandbox.open([image]) for _ in range(count)])
        results = await asyncio.gather(*[session.run(HELD, timeout=60) for session in opened])
        for session in opened:
            await session.close()
        return sum(result.result != "'done'" for result in results)

    yield Figure(f"sandbox: lost of {count} at once", runner.run(run()), 0, True)


async def whole(sandbox: Sandbox, image: bytes) -> bool:
    """Whether all cells of a session gave what they should."""
    async with await sandbox.open([image]) as session:
        results = [await session.run(cell, timeout=60) for cell in CELLS]
    images = [len(result.images) for result in results]
    return images == [1, 0, 1] and results[-1].result == "'done'"


def photo() -> bytes:
    """A JPEG of 1024 by 768 pixels: matplotlib's photograph of Grace Hopper."""
    file = io.BytesIO()
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        image.resize((1024, 768)).save(file, "JPEG", quality=90)
    return file.getvalue()
