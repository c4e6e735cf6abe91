"""Sessions on nodes: the same results as on this machine, and no exception when a node dies."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator

import pytest

from curation.errors import SandboxError
from curation.sandbox import Limits, RemoteSandbox, Sandbox
from tests.curation.sandbox.conftest import LIMITS
from tests.curation.sandbox.service.node import ServiceNode

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

TOKEN = "a-token-of-the-tests"
NOWHERE = "http://127.0.0.1:1"


def start() -> ServiceNode:
    limits = {name: getattr(LIMITS, name) for name in ("inodes", "threads")}
    words = [word for item in limits.items() for word in ("--limit", "{}={}".format(*item))]
    return ServiceNode(
        "--sessions", "4", "--token-env", "T", "--wait-seconds", "0.2", *words, T=TOKEN
    )


@pytest.fixture(scope="module")
def node() -> Iterator[ServiceNode]:
    with start() as node:
        yield node


def remote(*urls: str, limits: Limits = LIMITS, patience: float = 120) -> RemoteSandbox:
    return RemoteSandbox(urls, limits, token=TOKEN, patience=patience)


@pytest.mark.parametrize(
    "code",
    [
        "print('a'); image_1.size",
        "show(image_1.rotate(30)); np.random.rand()",
        "plt.plot([1, 2]); plt.show()",
        "1 / 0",
        "def f(:",
        "'\ud800'",
        "",
        "#" * 1_000_001,
        "for _ in range(4): show(image_1)",
        "print('é' * 10**6)",
        "raise ValueError('x' * 10**6)",
        "while True: pass",
        "import os; os._exit(0)",
    ],
)
async def test_the_same_result_as_on_this_machine(
    sandbox: Sandbox, node: ServiceNode, photo: bytes, code: str
) -> None:
    timeout = 1 if code.startswith("while") else 60
    async with remote(node.url) as there:
        seen = []
        for place in (sandbox, there):
            session = await place.open([photo], seed=7)
            cells = [await session.run(code, timeout=timeout), await session.run("2")]
            seen.append([dataclasses.replace(cell, seconds=0) for cell in cells])
            await session.close()
    assert seen[0] == seen[1]


async def test_a_bad_image_is_refused_as_on_this_machine(node: ServiceNode, photo: bytes) -> None:
    async with remote(node.url) as sandbox:
        with pytest.raises(ValueError, match="image 2 cannot be read as an image"):
            await sandbox.open([photo, b"no image"])
        with pytest.raises(ValueError, match="image 1 cannot be loaded"):
            await sandbox.open([photo[:-50]])


async def test_a_closed_session_gives_its_place_back(node: ServiceNode) -> None:
    async with remote(node.url) as sandbox:
        for _ in range(8):
            session = await sandbox.open()
            await session.close()
            await session.close()
        assert (await session.run("1")).status == "lost"
        await sandbox.open()
    assert (await asyncio.to_thread(figure, node)) == 0


def figure(node: ServiceNode) -> float:
    text = node.ask("GET", "/metrics", None, {"Authorization": f"Bearer {TOKEN}"}).body.decode()
    lines = text.splitlines()
    return next(
        float(li.split()[-1]) for li in lines if li.startswith("toolsight_sandbox_sessions ")
    )


async def test_more_sessions_than_places_wait(node: ServiceNode) -> None:
    async with remote(node.url) as sandbox:

        async def whole(number: int) -> str | None:
            async with await sandbox.open() as session:
                return (await session.run(f"{number}")).result

        results = await asyncio.gather(*[whole(number) for number in range(10)])
    assert results == [str(number) for number in range(10)]


async def test_a_cancelled_cell_ends_the_session(node: ServiceNode) -> None:
    async with remote(node.url) as sandbox:
        session = await sandbox.open()
        running = asyncio.create_task(session.run("while True: pass", timeout=5))
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await session.run("1")).stderr.endswith("a cell was cancelled")


async def test_session_time_is_bounded_over_its_cells(node: ServiceNode) -> None:
    async with remote(node.url, limits=dataclasses.replace(LIMITS, session_seconds=5.0)) as sandbox:
        session = await sandbox.open()
        assert (await session.run("import time; time.sleep(1)")).status == "ok"
        assert (await session.run("time.sleep(5)")).status == "timeout"


async def test_a_node_that_dies_loses_its_sessions_and_nothing_else(node: ServiceNode) -> None:
    with await asyncio.to_thread(start) as mortal:
        async with remote(node.url, mortal.url) as sandbox:
            sessions = [await sandbox.open(seed=1) for _ in range(4)]
            running = [
                asyncio.create_task(s.run("x = 1\nwhile True: pass", timeout=60))
                for s in sessions[:2]
            ]
            await asyncio.gather(*[session.run("x = 1") for session in sessions[2:]])
            mortal.process.kill()
            mortal.process.wait()
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            (cell,) = [task.result() for task in done]
            assert (cell.status, cell.stderr.startswith("SessionLost: ")) == ("lost", True)
            later = [await session.run("x") for session in sessions[2:]]
            assert sorted(cell.status for cell in later) == ["lost", "ok"]
            for session in sessions:
                await session.close()
            for _ in range(5):  # the node that is left takes them all
                async with await sandbox.open() as session:
                    assert (await session.run("1")).result == "1"
            await asyncio.gather(*running)


async def test_a_node_that_is_down_from_the_start_is_skipped(node: ServiceNode) -> None:
    async with remote(NOWHERE, node.url) as sandbox:
        assert sandbox.probes[f"{node.url} network"] == "PermissionError"
        async with await sandbox.open() as session:
            assert (await session.run("1")).status == "ok"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"text": 1}, "text is 20000 and not 1"),
        ({"memory": 1 << 40}, "memory is 5.36871e"),
        ({"cell_seconds": 1000.0}, "cell_seconds is 300 and not 1000"),
    ],
)
async def test_other_limits_than_the_nodes_are_refused(
    node: ServiceNode, changes: dict[str, float], sentence: str
) -> None:
    limits = dataclasses.replace(LIMITS, **changes)  # type: ignore[arg-type]
    with pytest.raises(SandboxError, match=sentence):
        await remote(node.url, limits=limits).__aenter__()


async def test_a_wrong_token_is_told_at_once(node: ServiceNode) -> None:
    with pytest.raises(SandboxError, match="refuses us: send the token"):
        await RemoteSandbox([node.url], LIMITS, token="wrong").__aenter__()


async def test_no_node_at_all_is_told_at_once() -> None:
    with pytest.raises(SandboxError, match=r"no sandbox node answers \(http://127.0.0.1:1: "):
        await remote(NOWHERE).__aenter__()


async def test_patience_with_dead_nodes_ends() -> None:
    with await asyncio.to_thread(start) as mortal:
        async with remote(mortal.url, patience=0.1) as sandbox:
            mortal.process.kill()
            mortal.process.wait()
            with pytest.raises(SandboxError, match="no sandbox node has answered for"):
                await sandbox.open()
