"""Hostile programs get nothing, and a neighbouring session with state lives through them all."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from curation.sandbox import CellResult, Sandbox, Session
from tests.curation.sandbox.processes import (
    fork_server,
    open_descriptors,
    processor_time,
    sessions,
    state,
)
from tests.curation.sandbox.programs import suite
from tests.curation.sandbox.programs.channels import CHANNELS
from tests.curation.sandbox.programs.preamble import TRY

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


LEAST = 290
SPIN = """
import threading
count = 0
def spin():
    global count
    while True: count += 1
threading.Thread(target=spin, daemon=True).start()
"""
REFUSALS = {errno.EPERM, errno.ENOSYS, errno.ENOTTY}


@dataclass(frozen=True, slots=True)
class Host:
    """What a program would like to reach."""

    listener: socket.socket
    secret: Path

    def fill_in(self, code: str) -> str:
        port = self.listener.getsockname()[1]
        words = {"PORT": str(port), "SECRET": str(self.secret), "TERCES": str(self.secret)[::-1]}
        for word, meaning in words.items():
            code = code.replace(word, meaning)
        return TRY + code

    def check_untouched(self) -> None:
        assert self.secret.read_text() == "the secret"
        with pytest.raises(BlockingIOError):
            self.listener.accept()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    secret = tmp_path_factory.mktemp("host") / "secret.txt"
    secret.write_text("the secret")
    secret.chmod(0o666)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Host(listener, secret)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def neighbour(sandbox: Sandbox) -> AsyncIterator[Session]:
    async with await sandbox.open() as session:
        await session.run("canary = 41\nopen('mine', 'w').write('kept')")
        yield session


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nobody_is_harmed(sandbox: Sandbox, neighbour: Session, host: Host) -> AsyncIterator[None]:
    before, descriptors = sessions(sandbox), open_descriptors()
    yield
    host.check_untouched()
    kept = await neighbour.run("canary + 1, open('mine').read(), __import__('os').listdir()")
    assert kept.result == "(42, 'kept', ['mine'])"
    assert sandbox.server_starts == 1
    assert open_descriptors() == descriptors
    while sessions(sandbox) != before:
        await asyncio.sleep(0.01)  # a process takes a moment to end


async def attack(sandbox: Sandbox, code: str, timeout: float = 20) -> CellResult:
    async with await sandbox.open() as session:
        result = await session.run(code, timeout=timeout)
        check_silent(result)
        if result.status in ("timeout", "lost"):
            assert (await session.run("1")).status == "lost"
        else:
            assert (await session.run("20 + 3")).result == "23"
    return result


def check_silent(result: CellResult) -> None:
    assert "BREACH" not in result.stdout, result.stdout
    assert "the secret" not in result.stdout + result.stderr + str(result.result)


@pytest.mark.parametrize("code", suite.CONTAINED.values(), ids=suite.CONTAINED)
async def test_contained(sandbox: Sandbox, host: Host, code: str) -> None:
    result = await attack(sandbox, host.fill_in(code))
    assert (result.status, result.stderr) == ("ok", "")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the call numbers are x86-64's")
@pytest.mark.parametrize("code", suite.REFUSED.values(), ids=suite.REFUSED)
async def test_system_call_is_refused(sandbox: Sandbox, host: Host, code: str) -> None:
    result = await attack(sandbox, host.fill_in(code) + "\nprint(error.errno)")
    assert (result.status, result.stderr) == ("ok", "")
    assert int(result.stdout) in REFUSALS


@pytest.mark.parametrize("code", suite.BOUNDED.values(), ids=suite.BOUNDED)
async def test_bounded(sandbox: Sandbox, host: Host, code: str) -> None:
    result = await attack(sandbox, host.fill_in(code))
    bounds = sandbox.limits
    assert result.status in ("ok", "error")
    assert len(result.stdout) <= bounds.text + 20
    assert len(result.result or "") <= bounds.text + 20
    assert len(result.stderr) <= bounds.traceback
    assert len(result.images) <= bounds.images


@pytest.mark.parametrize("code", suite.ENDLESS.values(), ids=suite.ENDLESS)
async def test_endless(sandbox: Sandbox, code: str) -> None:
    assert (await attack(sandbox, code, timeout=0.3)).status == "timeout"


@pytest.mark.parametrize("code", suite.FATAL.values(), ids=suite.FATAL)
async def test_fatal(sandbox: Sandbox, host: Host, code: str) -> None:
    result = await attack(sandbox, host.fill_in(code))
    assert result.status == "lost"
    assert result.stderr.startswith("SessionLost: ")
    assert (result.result, result.images) == (None, ())


@pytest.mark.parametrize("code", suite.TRAPS.values(), ids=suite.TRAPS)
async def test_next_cell_is_answered_truly_or_not_at_all(sandbox: Sandbox, code: str) -> None:
    async with await sandbox.open() as session:
        await session.run(code, timeout=5)
        result = await session.run("20 + 3", timeout=0.5)
        check_silent(result)
        assert result.status != "ok" or result.result == "23"


@pytest.mark.parametrize(("telling", "listening"), CHANNELS.values(), ids=CHANNELS)
async def test_sessions_cannot_tell_each_other(
    sandbox: Sandbox, telling: str, listening: str
) -> None:
    async with await sandbox.open() as one, await sandbox.open() as other:
        told = await one.run(TRY + telling)
        assert (told.status, told.stderr) == ("ok", "")
        heard = await other.run(TRY + listening)
        assert (heard.status, heard.stderr) == ("ok", "")
        check_silent(heard)


async def test_threads_left_behind_take_no_time(sandbox: Sandbox) -> None:
    before = sessions(sandbox)
    async with await sandbox.open() as session:
        await session.run(SPIN)
        (pid,) = sessions(sandbox) - before
        spent = await at_rest(pid)
        async with await sandbox.open() as other:
            assert (await other.run("sum(range(10**7))")).status == "ok"
        assert processor_time(pid) == spent
        assert (await session.run("count > 0")).result == "True"


async def at_rest(pid: int) -> int:
    """Processor time of a stopped process; the stop takes a moment."""
    while state(pid) != "T":
        await asyncio.sleep(0.001)
    return processor_time(pid)


@pytest.mark.skipif(os.getuid() != 0, reason="all files of an ordinary user's sessions are its own")
async def test_a_crash_is_dumped_nowhere(sandbox: Sandbox) -> None:
    before = sessions(sandbox)
    async with await sandbox.open():
        (pid,) = sessions(sandbox) - before
        # The kernel gives the files of a process that must not be dumped to root.
        assert Path(f"/proc/{pid}/mem").stat().st_uid == 0
    assert Path(f"/proc/{fork_server(sandbox)}/mem").stat().st_uid != 0


async def test_the_suite_does_not_shrink() -> None:
    assert suite.SIZE >= LEAST
