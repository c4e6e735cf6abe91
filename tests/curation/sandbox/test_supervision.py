"""The sandbox over time: many sessions, and a fork server that dies while they run."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.sandbox import CellResult, Sandbox
from curation.sandbox.limits import MIB
from tests.curation.sandbox.conftest import LIMITS
from tests.curation.sandbox.processes import (
    descendants,
    ended,
    fork_server,
    open_descriptors,
    own_memory,
    sessions,
)

pytestmark = pytest.mark.timeout(300)

WORK = "state = 1\nshow(image_1.crop((0, 0, 30, 30)))\nstate + 1"
GROWTH = 8 * MIB
"""Bytes that a process may grow by over the sessions: noise, and far less than a leak."""


async def whole(sandbox: Sandbox, photo: bytes) -> CellResult:
    async with await sandbox.open([photo]) as session:
        return await session.run(WORK, timeout=60)


async def test_two_hundred_sessions_in_a_row_leave_memory_flat(photo: bytes) -> None:
    async with Sandbox(LIMITS) as sandbox:
        for _ in range(20):
            await whole(sandbox, photo)  # the host's allocator and caches fill up first
        server = fork_server(sandbox)
        before = own_memory(os.getpid()), own_memory(server)
        descriptors, running = open_descriptors(), len(descendants(sandbox))
        results = [await whole(sandbox, photo) for _ in range(200)]
        assert {(result.status, result.result) for result in results} == {("ok", "2")}
        assert sandbox.server_starts == 1
        assert own_memory(os.getpid()) - before[0] < GROWTH
        assert own_memory(server) - before[1] < GROWTH
        assert open_descriptors() == descriptors
        await until(lambda: len(descendants(sandbox)) == running)


async def test_sixty_four_sessions_at_once(photo: bytes) -> None:
    async with Sandbox(LIMITS, sessions=64) as sandbox:
        opened = await asyncio.gather(*[sandbox.open([photo], seed=seed) for seed in range(64)])
        assert len(sessions(sandbox)) == 64
        results = await asyncio.gather(*[session.run(WORK, timeout=60) for session in opened])
        assert {(result.status, result.result) for result in results} == {("ok", "2")}
        for session in opened:
            await session.close()
        await until(lambda: not sessions(sandbox))
        assert sandbox.server_starts == 1


async def test_a_fork_server_killed_again_and_again_costs_sessions_and_nothing_else(
    photo: bytes,
) -> None:
    moments = random.Random(0)
    async with Sandbox(LIMITS, sessions=4) as sandbox:
        await whole(sandbox, photo)
        descriptors, mounts, children = open_descriptors(), mounted(), zombies()
        for _ in range(3):
            starts, outermost = sandbox.server_starts, sandbox.server_pid
            running = [asyncio.create_task(rollout(sandbox, photo)) for _ in range(4)]
            await asyncio.sleep(moments.uniform(0, 0.2))
            os.kill(fork_server(sandbox), signal.SIGKILL)
            # The fork that it made ahead can still become a session until all of it has ended.
            assert outermost is not None
            await until(functools.partial(ended, outermost))
            for results in await asyncio.gather(*running):
                check_lost_only_after(results)
            assert (await whole(sandbox, photo)).status == "ok"
            assert sandbox.server_starts == starts + 1
        assert (open_descriptors(), mounted(), zombies()) == (descriptors, mounts, children)


async def rollout(sandbox: Sandbox, photo: bytes) -> list[CellResult]:
    async with await sandbox.open([photo]) as session:
        return [await session.run(WORK) for _ in range(20)]


def check_lost_only_after(results: list[CellResult]) -> None:
    """A session works until it is lost, and stays lost."""
    lost = [result.status == "lost" for result in results]
    assert lost == sorted(lost)
    assert all(result.result == "2" for result in results if result.status == "ok")
    assert {result.status for result in results} <= {"ok", "lost"}


def mounted() -> int:
    return len(Path("/proc/self/mountinfo").read_text().splitlines())


def zombies() -> int:
    """Children of this process that ended and were never waited for."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended meanwhile
        found += state == "Z" and int(parent) == os.getpid()
    return found


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what the kernel does a moment later."""
    while not condition():
        await asyncio.sleep(0.01)
