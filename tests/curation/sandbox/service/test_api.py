"""Our own routes, the token, back-pressure, expiry and the end of the service."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curation.cli import app
from curation.sandbox.probes import OWN_NAMES
from tests.curation.sandbox.service.node import LIMITS, ServiceNode

TOKEN = "a-token-of-the-tests"


def test_a_session_from_its_opening_to_its_end(node: ServiceNode, photo: bytes) -> None:
    opening = {"images": [base64.b64encode(photo).decode()], "seed": 7}
    opened = node.post("/sessions", opening)
    assert opened.status == 201
    path = f"/sessions/{opened.json['session']}"
    cell = node.post(f"{path}/cells", {"code": "print('a'); show(image_1); image_1.size"}).json
    assert (cell["status"], cell["stdout"], cell["stderr"]) == ("ok", "a\n", "")
    assert cell["result"] == "(80, 60)"
    assert base64.b64decode(cell["images"][0]).startswith(b"\x89PNG")
    assert node.ask("DELETE", path).status == 204
    assert node.ask("DELETE", path).status == 404
    assert node.post(f"{path}/cells", {"code": "1"}).status == 404


def test_the_seed_decides_what_is_drawn(node: ServiceNode) -> None:
    seen = []
    for seed in (1, 1, 2):
        path = f"/sessions/{node.post('/sessions', {'seed': seed}).json['session']}"
        seen.append(node.post(f"{path}/cells", {"code": "np.random.rand()"}).json["result"])
    assert seen[0] == seen[1] != seen[2]


def test_a_time_out_ends_the_session(node: ServiceNode) -> None:
    path = f"/sessions/{node.post('/sessions', {}).json['session']}"
    cell = node.post(f"{path}/cells", {"code": "while True: pass", "timeout": 0.2}).json
    assert (cell["status"], cell["stderr"]) == ("timeout", "TimeOutError: code execution timed out")
    assert node.post(f"{path}/cells", {"code": "1"}).status == 404


def test_health_tells_the_isolation_and_the_limits(node: ServiceNode) -> None:
    health = node.ask("GET", "/health").json
    assert health["status"] == "ok"
    assert health["probes"]["network"] == "PermissionError"
    assert {name: health["limits"][name] for name in LIMITS} == LIMITS
    assert health["limits"]["code"] == 1_000_000


def test_metrics_count_cells_by_status(node: ServiceNode) -> None:
    name = 'toolsight_sandbox_cells_total{status="ok"}'
    node.cell("counted", "1")
    before = node.figure(name)
    node.cell("counted", "1")
    assert node.figure(name) == before + 1
    assert node.figure("toolsight_sandbox_places") == 64


def test_the_routes_describe_themselves(node: ServiceNode) -> None:
    paths = node.ask("GET", "/openapi.json").json["paths"]
    assert {"/jupyter_sandbox", "/clear_session", "/sessions", "/health", "/metrics"} <= set(paths)


def test_code_sees_nothing_of_the_service(node: ServiceNode) -> None:
    code = f"import os; sorted(set(os.environ) - {OWN_NAMES!r}), os.listdir('/proc')"
    assert node.cell("curious", code)["output"]["result"] == "([], [])"


@pytest.fixture(scope="module")
def closed() -> Iterator[ServiceNode]:
    """A service with a token."""
    with ServiceNode("--host", "0.0.0.0", "--token-env", "TEST_TOKEN", TEST_TOKEN=TOKEN) as node:
        node.url = node.url.replace("0.0.0.0", "127.0.0.1")
        yield node


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/health", "/metrics", "/docs", "/openapi.json", "/nowhere")),
        *(("POST", path) for path in ("/jupyter_sandbox", "/clear_session", "/sessions")),
        ("DELETE", "/sessions/any"),
        ("GET", "/token/wrong/health"),
        ("GET", "/token/"),
    ],
)
@pytest.mark.parametrize("shown", ["", "Bearer wrong", "Bearer \xe9"])
def test_without_the_token_every_route_is_closed(
    closed: ServiceNode, method: str, path: str, shown: str
) -> None:
    answer = closed.ask(method, path, None, {"Authorization": shown})
    assert (answer.status, "send the token" in answer.detail) == (401, True)


def test_the_token_may_stand_in_the_header_or_in_the_path(closed: ServiceNode) -> None:
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert closed.ask("GET", "/health", None, shown).status == 200
    closed.url += f"/token/{TOKEN}"
    try:
        assert closed.cell("any", "6 * 7")["output"]["result"] == "42"
        assert closed.ask("GET", "/docs").status == 200
        assert TOKEN.encode() not in closed.ask("GET", "/openapi.json").body
    finally:
        closed.url = closed.url.removesuffix(f"/token/{TOKEN}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--host", "0.0.0.0"], "open to others and needs a token"),
        (["--host", "::"], "open to others and needs a token"),
        (["--token-env", "NOT_SET"], "the environment variable NOT_SET"),
        (["--token-env", "SHORT"], "at least 16 characters"),
        (["--host", "192.0.2.1", "--token-env", "GOOD"], "cannot listen at 192.0.2.1:0"),
        (["--limit", "text=many"], "write it as NAME=NUMBER"),
        (["--limit", "txt=5"], "did you mean text"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(arguments: list[str], sentence: str) -> None:
    found = CliRunner().invoke(
        app,
        ["sandbox", "serve", "--port", "0", *arguments],
        env={"SHORT": "abc", "GOOD": TOKEN},
    )
    assert found.exit_code == 2
    assert found.stderr.startswith("error: ") and sentence in found.stderr
    assert found.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def small() -> Iterator[ServiceNode]:
    """A service with one place, short waits and short cells."""
    bounds = ("--sessions", "1", "--wait-seconds", "0.1", "--idle-seconds", "2")
    with ServiceNode(*bounds, "--limit", "cell_seconds=0.3") as node:
        yield node


def test_a_full_service_says_when_to_come_again_and_expiry_makes_room(small: ServiceNode) -> None:
    small.cell("first", "1")
    refused = small.post("/jupyter_sandbox", {"session_id": "second", "code": "1"})
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.detail == "everything is in use: come again"
    while small.figure("toolsight_sandbox_sessions"):
        pass
    assert small.figure("toolsight_sandbox_expired_total") == 1
    assert small.cell("second", "1")["output"]["result"] == "1"
    small.post("/clear_session", {"session_id": "second"})


def test_a_cell_gets_no_more_time_than_the_service_gives(small: ServiceNode) -> None:
    answer = small.cell("slow", "while True: pass", timeout=200)
    assert answer["output"]["stderr"] == "TimeOutError: code execution timed out"


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found] + [p for child in found for p in children(int(child))]


@pytest.mark.parametrize("stop_seconds", [30, 1])
def test_sigterm_lets_cells_end_within_the_bound_and_then_kills_everything(
    stop_seconds: int,
) -> None:
    """A cell of two seconds ends under the first bound and is killed under the second."""
    with (
        ServiceNode("--cells", "1", "--stop-seconds", str(stop_seconds)) as node,
        ThreadPoolExecutor(2) as pool,
    ):
        node.cell("running", "import time")
        running = pool.submit(
            node.post, "/jupyter_sandbox", {"session_id": "running", "code": "time.sleep(2); 5"}
        )
        waiting = pool.submit(
            node.post, "/jupyter_sandbox", {"session_id": "waiting", "code": "open('x', 'w')"}
        )
        while node.figure("toolsight_sandbox_sessions") < 2:
            pass
        below = children(node.process.pid)
        node.process.send_signal(signal.SIGTERM)
        refused = waiting.result()
        assert (refused.status, refused.detail) == (503, "the service is stopping: come again")
        if stop_seconds > 2:
            assert running.result().json["output"]["result"] == "5"
        else:
            assert running.exception() is not None or running.result().status >= 500
        assert node.process.wait(60) == 0
        assert len(below) >= 3
        while any(Path(f"/proc/{pid}").exists() for pid in below):
            pass  # the kernel takes a moment
