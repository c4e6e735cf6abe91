"""What comes back from a sandbox node, checked: types, lengths, images. A node is not believed."""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

from PIL import Image

from curation.sandbox.limits import Limits
from curation.sandbox.link import LieError
from curation.sandbox.session import CellResult, Status

MARK = 300
"""Characters that a text may be longer than its limit: the mark of a cut, a lost session's word."""
BY_CALLER = ("cell_seconds", "session_seconds", "code")
"""Limits that the asking side keeps; a node's need only be as large."""


def most_bytes(limits: Limits) -> int:
    """The longest answer of an honest node: six bytes a character, pixels that do not compress."""
    text = 6 * (2 * limits.text + limits.traceback + 3 * MARK)
    return text + math.ceil(4.1 * limits.pixels) + 4096 * (limits.images + 1)


def read_session(body: bytes) -> str:
    """The id in the answer to an opening."""
    name = _text(_table(body), "session", 128)
    if not re.fullmatch(r"[\w-]+", name, re.ASCII):
        raise LieError("a session id with odd characters")
    return name


def read_cell(body: bytes, limits: Limits) -> CellResult:
    """The answer to a cell; raises LieError where a session on this machine could not say it."""
    table = _table(body)
    status = _text(table, "status", 16)
    if status not in get_args(Status):
        raise LieError("an unknown status")
    stderr = _text(table, "stderr", limits.traceback + MARK)
    if (status == "ok") != (stderr == ""):
        raise LieError("a status that its stderr contradicts")
    seconds = table.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise LieError("no time that the cell took")
    result = None
    if table.get("result") is not None:
        result = _text(table, "result", limits.text + MARK)
    return CellResult(
        stdout=_text(table, "stdout", limits.text + MARK),
        stderr=stderr,
        result=result,
        images=_images(table.get("images"), limits),
        status=status,  # type: ignore[arg-type]
        seconds=float(seconds),
    )


def read_health(body: bytes, limits: Limits) -> tuple[dict[str, str], list[str]]:
    """A node's probes, and in words how its limits differ from those that are asked for."""
    table = _table(body)
    probes, theirs = table.get("probes"), table.get("limits")
    if not isinstance(probes, dict) or not probes or not isinstance(theirs, dict):
        raise LieError("no self-test and no limits")
    found = {name: _text(probes, name, 1000) for name in probes}
    return found, _differences(theirs, limits)


def read_detail(body: bytes) -> str:
    """The sentence of a refusal, as far as there is one."""
    try:
        return _text(_table(body), "detail", 2000)
    except LieError:
        return "it gave no reason"


def _differences(theirs: Mapping[str, Any], limits: Limits) -> list[str]:
    ours = {name: asdict(limits)[name] for name in asdict(Limits())}
    wrong = []
    for name, value in ours.items():
        other = theirs.get(name)
        if not isinstance(other, int | float):
            raise LieError(f"no limit {name}")
        if other < value or (other > value and name not in BY_CALLER):
            wrong.append(f"{name} is {other:g} and not {value:g}")
    return wrong


def _table(body: bytes) -> dict[str, Any]:
    try:
        table = json.loads(body)
    except (ValueError, RecursionError):
        raise LieError("an answer that is no JSON") from None
    if not isinstance(table, dict):
        raise LieError("an answer that is no JSON object")
    return table


def _text(table: Mapping[str, Any], key: str, bound: int) -> str:
    value = table.get(key)
    if not isinstance(value, str) or len(value) > bound:
        raise LieError(f"no {key} of at most {bound} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise LieError(f"a {key} that is no Unicode text") from None
    return value


def _images(values: object, limits: Limits) -> tuple[bytes, ...]:
    if not isinstance(values, list) or len(values) > limits.images:
        raise LieError(f"no list of at most {limits.images} images")
    try:
        images = [base64.b64decode(value, validate=True) for value in values]
    except (binascii.Error, TypeError, ValueError):
        raise LieError("an image that is no base64") from None
    _check_pixels(images, limits.pixels)
    return tuple(images)


def _check_pixels(images: Sequence[bytes], pixels: int) -> None:
    """Sizes from the headers and the checksums of every chunk; nothing is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            for encoded in images:
                with Image.open(io.BytesIO(encoded), formats=["PNG"]) as image:
                    pixels -= image.width * image.height
                    image.verify()
    except Exception as error:
        raise LieError("an image that is no PNG") from error
    if pixels < 0:
        raise LieError("more pixels than a cell may return")
