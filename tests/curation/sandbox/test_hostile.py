"""Hostile programs get nothing, and a neighbouring session with state lives through them all."""

from __future__ import annotations

import asyncio
import platform
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from curation.sandbox import CellResult, Sandbox, Session
from tests.curation.sandbox.processes import descendants
from tests.curation.sandbox.programs import CONTAINED, ENDLESS, FATAL, KERNEL, TRY

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


@dataclass(frozen=True, slots=True)
class Host:
    """What a program would like to reach."""

    listener: socket.socket
    secret: Path

    def fill_in(self, code: str) -> str:
        port = self.listener.getsockname()[1]
        return TRY + code.replace("PORT", str(port)).replace("SECRET", str(self.secret))

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
    before = descendants(sandbox)
    yield
    host.check_untouched()
    kept = await neighbour.run("canary + 1, open('mine').read(), __import__('os').listdir()")
    assert kept.result == "(42, 'kept', ['mine'])"
    assert sandbox.server_starts == 1
    while descendants(sandbox) != before:
        await asyncio.sleep(0.01)  # a process takes a moment to end


async def attack(sandbox: Sandbox, code: str, timeout: float = 20) -> CellResult:
    async with await sandbox.open() as session:
        result = await session.run(code, timeout=timeout)
        assert "BREACH" not in result.stdout, result.stdout
        assert "the secret" not in result.stdout + result.stderr
        if result.status in ("timeout", "lost"):
            assert (await session.run("1")).status == "lost"
        else:
            assert (await session.run("20 + 3")).result == "23"
    return result


@pytest.mark.parametrize("code", CONTAINED.values(), ids=CONTAINED)
async def test_contained(sandbox: Sandbox, host: Host, code: str) -> None:
    result = await attack(sandbox, host.fill_in(code))
    assert (result.status, result.stderr) == ("ok", "")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the call numbers are x86-64's")
@pytest.mark.parametrize("code", KERNEL.values(), ids=KERNEL)
async def test_system_call_is_refused(sandbox: Sandbox, host: Host, code: str) -> None:
    result = await attack(sandbox, host.fill_in(code) + "\nprint(error.errno)")
    assert (result.status, result.stderr) == ("ok", "")
    assert int(result.stdout) in (1, 38)  # not permitted, or not known


@pytest.mark.parametrize("code", ENDLESS.values(), ids=ENDLESS)
async def test_endless(sandbox: Sandbox, code: str) -> None:
    assert (await attack(sandbox, code, timeout=0.3)).status == "timeout"


@pytest.mark.parametrize("code", FATAL.values(), ids=FATAL)
async def test_fatal(sandbox: Sandbox, code: str) -> None:
    result = await attack(sandbox, code)
    assert result.status == "lost"
    assert result.stderr.startswith("SessionLost: ")
