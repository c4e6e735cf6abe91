"""The world of the large runs: a source of tiny pictures and a model that answers at once.

Every `RARE`-th question is right in three of eight direct attempts, all others always; so it is
the rare ones that reach the tools arm, whose first turn runs code in the sandbox, and the export.
"""

from __future__ import annotations

import io
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from PIL import Image

from curation.sources import BadRow, RawSample, Row
from tests.scripted_server import ScriptedServer, text_of

RARE = 50
BAD = 1000
"""Every so many rows one is bad and goes to quarantine."""

_SIDE = 28
_QUESTION = re.compile(r"What is (\d+) plus 1\?")
_CODE = "<code>\n```python\nshow(image_1.crop((0, 0, 14, 14)))\n```\n</code>"


def sums(*, limit: int = 1000) -> Iterator[Row]:
    """The first `limit` sums, each with a picture of its own."""
    for number in range(limit):
        if number % BAD == BAD - 1:
            yield BadRow(f"sum-{number}", "missing_answer", f"Row {number} has no answer.")
        else:
            yield _sum(number)


def _sum(number: int) -> RawSample:
    return RawSample(
        origin_id=f"sum-{number}",
        images=(picture(number),),
        question=f"What is {number} plus 1?",
        answers=(str(number + 1),),
        answer_kind="number",
        category="reasoning",
        license="CC0-1.0",
        origin="benchmark",
    )


def picture(number: int) -> bytes:
    """A PNG of one colour, another for every number below 2**24."""
    buffer = io.BytesIO()
    colour = (number >> 16, number >> 8 & 255, number & 255)
    Image.new("RGB", (_SIDE, _SIDE), colour).save(buffer, format="PNG")
    return buffer.getvalue()


def reply(request: dict[str, Any]) -> list[str]:
    """What the model says; the same request always gets the same replies."""
    found = _QUESTION.search(text_of(request))
    assert found, "every request is about a sum"
    number, attempts = int(found[1]), range(request["n"])
    if "</code>" in request["stop"]:
        return [_CODE if len(request["messages"]) == 2 else _answer(number + 1) for _ in attempts]
    right = 3 if number % RARE == 0 else len(attempts)
    return [_answer(number + 1 if attempt < right else -1) for attempt in attempts]


def _answer(number: int) -> str:
    return f"<answer>{number}</answer>"


@contextmanager
def serving() -> Iterator[str]:
    """URL of the model, in a process of its own so that it costs the pipeline nothing."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join()


def _serve(connection: Connection) -> None:
    with ScriptedServer(reply, record=False) as server:
        connection.send(server.url)
        connection.poll(None)  # Until the other end is closed, also by the death of its process.
