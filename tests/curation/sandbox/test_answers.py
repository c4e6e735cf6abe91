"""What a node that lies could send."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from curation.sandbox import Limits
from curation.sandbox.answers import most_bytes, read_cell, read_health, read_session
from curation.sandbox.link import LieError

LIMITS = Limits(images=2, pixels=100, text=50, traceback=50)


def image(width: int, height: int, kind: str = "PNG") -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def cell(**changes: Any) -> bytes:
    honest = {
        "status": "ok",
        "stdout": "",
        "stderr": "",
        "result": None,
        "images": [],
        "seconds": 1,
    }
    return json.dumps(honest | changes).encode()


def test_an_honest_answer_is_taken() -> None:
    found = read_cell(cell(stdout="a", result="b", images=[image(5, 5)]), LIMITS)
    assert (found.stdout, found.result, found.seconds) == ("a", "b", 1.0)
    assert found.images[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        cell(status="fine"),
        cell(status="error"),
        cell(stderr="x"),
        cell(stdout=None),
        cell(stdout="x" * 1000),
        cell(stdout="\ud800"),
        cell(result=5),
        cell(seconds=-1),
        cell(seconds="1"),
        cell(seconds=float("nan")),
        cell(seconds=float("inf")),
        cell(images=None),
        cell(images=["x"] * 3),
        cell(images=["?"]),
        cell(images=[5]),
        cell(images=[""]),
        cell(images=["é"]),
        cell(images=[image(11, 10)]),
        cell(images=[image(8, 8), image(8, 8)]),
        cell(images=[image(5, 5, "JPEG")]),
        cell(images=[image(5, 5)[:-40]]),
    ],
)
def test_a_lie_is_found(body: bytes) -> None:
    with pytest.raises(LieError):
        read_cell(body, LIMITS)


@pytest.mark.parametrize("name", ["", "../health", "a/b", 5, None, "x" * 200])
def test_a_session_id_goes_into_no_other_path(name: object) -> None:
    with pytest.raises(LieError):
        read_session(json.dumps({"session": name}).encode())


@pytest.mark.parametrize(
    "body", [b"{}", b'{"probes": {}, "limits": {}}', b'{"probes": {"network": "x"}, "limits": {}}']
)
def test_a_node_without_self_test_or_limits_is_none(body: bytes) -> None:
    with pytest.raises(LieError):
        read_health(body, LIMITS)


def test_the_longest_honest_answer_fits() -> None:
    text = {"stdout": "\0" * 50, "stderr": "\0" * 50, "result": "\0" * 50, "status": "error"}
    assert len(cell(**text, images=[image(7, 7), image(7, 7)])) < most_bytes(LIMITS)
