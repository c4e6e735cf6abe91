"""The sandbox as a whole: it proves itself, refuses, queues, and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from curation.errors import SandboxError
from curation.sandbox import ForkServer, Limits, Sandbox, bubblewrap
from curation.sandbox.admission import free_memory, sessions
from tests.curation.sandbox.conftest import LIMITS
from tests.curation.sandbox.processes import descendants, fork_server

pytestmark = pytest.mark.timeout(60)


async def test_probes_are_recorded() -> None:
    async with Sandbox(LIMITS) as sandbox:
        probes = sandbox.probes
    assert set(probes) == {
        *("network", "files", "writing", "environment"),
        *("processes", "memory", "libraries", "time"),
    }
    assert probes["network"] == "PermissionError"
    assert probes["memory"] == "MemoryError"


async def test_dead_fork_server_comes_back() -> None:
    async with Sandbox(LIMITS) as sandbox:
        lost = await sandbox.open()
        os.kill(fork_server(sandbox), signal.SIGKILL)
        while (result := await lost.run("1")).status == "ok":
            pass  # the kernel ends the session a moment later
        assert (result.status, result.result) == ("lost", None)
        async with await sandbox.open() as session:
            assert (await session.run("1")).result == "1"
        assert sandbox.server_starts == 2
        await lost.close()


async def test_everything_ends_with_the_sandbox() -> None:
    async with Sandbox(LIMITS) as sandbox:
        session = await sandbox.open()
        running = asyncio.create_task(session.run("while True: pass"))
        await asyncio.sleep(0)
        pids = descendants(sandbox)
    assert (await running).status == "lost"
    assert len(pids) >= 3
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        await asyncio.sleep(0.01)  # the kernel takes a moment


async def test_killed_outer_process_stops_nobody() -> None:
    async with Sandbox(LIMITS) as sandbox:
        assert sandbox.server_pid is not None
        os.kill(sandbox.server_pid, signal.SIGKILL)
        async with await sandbox.open() as session:
            assert (await session.run("1")).result == "1"


async def test_sessions_queue_for_a_place() -> None:
    async with Sandbox(LIMITS, sessions=1) as sandbox:
        first = await sandbox.open()
        second = asyncio.create_task(sandbox.open())
        await first.run("1")
        assert not second.done()
        await first.close()
        async with await second as session:
            assert (await session.run("2")).result == "2"


async def test_failed_opening_gives_its_place_back() -> None:
    async with Sandbox(LIMITS, sessions=1) as sandbox:
        for _ in range(2):
            with pytest.raises(ValueError, match="image 1"):
                await sandbox.open([b"GIF89a"])
        await (await sandbox.open()).close()


async def test_cancelled_closing_gives_its_place_back() -> None:
    async with Sandbox(LIMITS, sessions=1) as sandbox:
        session = await sandbox.open()
        running = asyncio.create_task(session.run("while True: pass"))
        closing = asyncio.create_task(session.close())
        await asyncio.sleep(0)
        closing.cancel()
        assert (await running).status == "lost"
        await (await sandbox.open()).close()


async def test_session_time_is_bounded_over_its_cells() -> None:
    async with Sandbox(Limits(memory=LIMITS.memory, session_seconds=0.5)) as sandbox:
        session = await sandbox.open()
        assert (await session.run("import time; time.sleep(0.3)")).status == "ok"
        assert (await session.run("time.sleep(0.3)")).status == "timeout"


async def test_many_sessions_at_once(photo: bytes) -> None:
    async with Sandbox(LIMITS, sessions=8) as sandbox:

        async def whole(number: int) -> tuple[str | None, int]:
            async with await sandbox.open([photo]) as session:
                await session.run(f"number = {number}")
                result = await session.run("show(image_1.crop((0, 0, 30, 30))); number")
                return result.result, len(result.images)

        results = await asyncio.gather(*[whole(number) for number in range(40)])
        assert results == [(str(number), 1) for number in range(40)]
        assert sandbox.server_starts == 1


def bwrap_that_fails(folder: Path, words: str) -> None:
    script = folder / "bwrap"
    script.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    script.chmod(0o755)


async def test_refuses_where_namespaces_are_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bwrap_that_fails(tmp_path, "bwrap: No permissions to create new namespace")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxError, match="cannot be isolated here: bwrap: No permissions"):
        async with Sandbox(LIMITS):
            pass


async def test_refuses_when_the_fork_server_does_not_get_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bwrap"
    script.write_text("#!/bin/sh\necho 'still reading' >&2\nexec sleep 1000\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("curation.sandbox.server.START_SECONDS", 0.5)
    with pytest.raises(SandboxError, match=r"not ready after 0.5 s: .*still reading"):
        async with Sandbox(LIMITS):
            pass


async def test_refuses_without_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="needs bwrap: install it"):
        async with Sandbox(LIMITS):
            pass


async def test_refuses_what_fails_its_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = bubblewrap.inner

    def leaky(mounts: dict[Path, str]) -> list[str]:
        return ["--ro-bind", "/usr/lib", "/host", *inner(mounts)]

    monkeypatch.setattr(bubblewrap, "inner", leaky)
    with pytest.raises(SandboxError, match=r"(?s)self-test of files failed.*'host'"):
        async with Sandbox(LIMITS):
            pass


def test_places_follow_the_memory() -> None:
    assert sessions(1 << 60) == 1
    assert sessions(1 << 28) > sessions(1 << 30) >= 1
    assert 0 < free_memory() < 1 << 50


def test_a_fork_server_that_is_lent_serves_one_event_loop_after_the_other() -> None:
    server = ForkServer(LIMITS)

    async def use() -> int | None:
        async with Sandbox(LIMITS, sessions=2, server=server) as sandbox:
            sessions = await asyncio.gather(sandbox.open(), sandbox.open())
            results = [
                await session.run("left = 'left' in globals(); left") for session in sessions
            ]
            assert [result.result for result in results] == ["False", "False"]
            return sandbox.server_pid

    assert asyncio.run(use()) == asyncio.run(use()) is not None
    assert server.starts == 1
    server.stop()
    assert server.pid is None
