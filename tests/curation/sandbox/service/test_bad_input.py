"""What no client should send: one clear sentence each, and the service goes on."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest

from tests.curation.sandbox.service.node import ServiceNode


def claiming(width: int, height: int) -> str:
    """A PNG whose header promises more than it holds."""
    header = b"IHDR" + struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack("!I", 13) + header + struct.pack("!I", zlib.crc32(header))
    pixels = struct.pack("!I", 1000) + b"IDAT" + zlib.compress(bytes(50))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunk + pixels).decode()


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("/jupyter_sandbox", b"{no json", 400, "JSON decode error"),
        ("/jupyter_sandbox", b'"\xff"', 400, "error parsing the body"),
        ("/jupyter_sandbox", b"[" * 200_000, 400, "error parsing the body"),
        ("/jupyter_sandbox", b"", 400, "body: Field required"),
        ("/jupyter_sandbox", [1], 400, "body: Input should be a valid"),
        ("/jupyter_sandbox", {"session_id": "a"}, 400, "body.code: Field required"),
        ("/jupyter_sandbox", {"session_id": 5, "code": "1"}, 400, "body.session_id: Input should"),
        ("/jupyter_sandbox", {"session_id": "", "code": "1"}, 400, "at least 1 character"),
        ("/jupyter_sandbox", {"session_id": "\ud800", "code": "1"}, 400, "body.session_id:"),
        ("/jupyter_sandbox", {"session_id": "a", "code": "1", "timeout": 0}, 400, "greater than 0"),
        (
            "/jupyter_sandbox",
            {"session_id": "a", "code": "1", "timeout": float("nan")},
            400,
            "body.timeout: Input should be a finite number",
        ),
        (
            "/jupyter_sandbox",
            {"session_id": "a", "code": "x = 1\n" * 2_000_000},
            413,
            "the code has 12000000 characters and 1000000 are allowed",
        ),
        ("/clear_session", {}, 400, "body.session_id: Field required"),
        ("/sessions", {"images": ["?"]}, 400, "image 1 is no base64"),
        ("/sessions", {"images": ["bm8gaW1hZ2U="]}, 400, "image 1 cannot be read as an image"),
        ("/sessions", {"images": [claiming(80, 60)]}, 400, "image 1 cannot be loaded: "),
        (
            "/sessions",
            {"images": [claiming(50_000, 50_000)]},
            400,
            "image 1 cannot be read as an image: Image size (2500000000 pixels)",
        ),
        ("/sessions", {"images": [""] * 65}, 400, "at most 64 items"),
        ("/sessions", {"seed": "x"}, 400, "body.seed: Input should be a valid integer"),
        ("/sessions/unknown/cells", {"code": "1"}, 404, "there is no such session"),
        ("/nowhere", {}, 404, "Not Found"),
    ],
)
def test_one_sentence(node: ServiceNode, path: str, body: Any, status: int, sentence: str) -> None:
    answer = node.post(path, body)
    assert answer.status == status
    assert sentence in answer.detail
    assert len(answer.detail) < 400
    assert node.cell("well", "1 + 1")["output"]["result"] == "2"


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        ("", 400, "the cell holds no code"),
        ("#" * 10_000_000, 413, "10000000 characters where 1000000 are allowed"),
    ],
)
def test_code_that_is_not_run(node: ServiceNode, code: str, status: int, sentence: str) -> None:
    session = node.post("/sessions", {}).json["session"]
    answer = node.post(f"/sessions/{session}/cells", {"code": code})
    assert (answer.status, sentence in answer.detail) == (status, True)
    assert node.post(f"/sessions/{session}/cells", {"code": "1"}).json["result"] == "1"


def test_a_body_beyond_the_bound_is_refused_unread(node: ServiceNode) -> None:
    answer = node.post("/sessions", bytes((64 << 20) + 1))
    assert (answer.status, "67108864 are allowed" in answer.detail) == (413, True)


def test_a_body_without_a_length_is_refused(node: ServiceNode) -> None:
    answer = node.ask(
        "POST", "/sessions", b"2\r\n{}\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"}
    )
    assert (answer.status, "Content-Length" in answer.detail) == (411, True)
