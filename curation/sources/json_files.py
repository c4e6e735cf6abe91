"""JSON files row by row, whether they hold one object a line or one long list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from curation.errors import SourceError
from curation.sources.base import BadRow
from curation.sources.layout import Cells

_CHUNK = 1 << 20
_BLANKS = re.compile(r"[ \t\r\n]*")


def json_rows(file: Path, name: str) -> Iterator[tuple[str, Cells] | BadRow]:
    """Each object of a file with its position `name#row`; what is no object is a `BadRow`.

    The first character tells the form: `[` begins a list, anything else is read line by line.
    Neither is ever held whole. Raises `SourceError` when the file cannot be opened.
    """
    try:
        with file.open(encoding="utf-8", errors="replace") as text:
            is_list = text.read(_CHUNK).lstrip("\ufeff \t\r\n").startswith("[")
    except OSError as error:
        raise SourceError(f"{file} cannot be opened ({error.strerror}); check the path") from error
    rows = _list_items(file, name) if is_list else _lines(file, name)
    for at, value in enumerate(rows):
        position = f"{name}#{at}"
        if isinstance(value, BadRow):
            yield value
        elif isinstance(value, dict):
            yield position, value
        else:
            yield BadRow(
                position,
                "not_an_object",
                f"{position}: the row is {type(value).__name__}, not an object; "
                "write each row as a JSON object.",
            )


def _lines(file: Path, name: str) -> Iterator[object]:
    """Blank lines are no rows."""
    with file.open("rb") as lines:
        rows = (line for line in lines if line.strip())
        for at, line in enumerate(rows):
            try:
                yield _encodable(json.loads(line), b"\\u" in line)
            except (ValueError, RecursionError) as error:
                yield _bad_json(f"{name}#{at}", error)


def _list_items(file: Path, name: str) -> Iterator[object]:
    """Items of a list; broken JSON in it costs what comes after, for no item can be found there."""
    at = 0
    with file.open(encoding="utf-8-sig") as text:
        try:
            for item in _stream(text):
                yield item
                at += 1
        except (ValueError, RecursionError) as error:
            yield _bad_json(f"{name}#{at}", error)


def _stream(text: TextIO) -> Iterator[object]:
    decoder = json.JSONDecoder()
    buffer = text.read(_CHUNK)
    at = _skip(buffer, 0, "[")
    while buffer[at : at + 1] != "]":
        try:
            item, end = decoder.raw_decode(buffer, at)
            # A number that ends the buffer may go on in the next chunk.
            whole = buffer[(after := _skip(buffer, end)) : after + 1] in (",", "]")
        except ValueError:
            whole = False
        if whole:
            yield _encodable(item, buffer.find("\\u", at, end) >= 0)
            at = _skip(buffer, end, ",")
            continue
        # Growing by what is there already keeps the time linear however long an item is.
        more = text.read(max(_CHUNK, len(buffer) - at))
        if not more:
            decoder.raw_decode(buffer, at)
            raise ValueError("the list is not closed")
        buffer, at = buffer[at:] + more, 0
        at = _skip(buffer, 0)


def _skip(buffer: str, at: int, mark: str = "") -> int:
    """The position after blanks, after one `mark` if there is one, and after blanks again."""
    at = _BLANKS.match(buffer, at).end()  # type: ignore[union-attr]
    if mark and buffer.startswith(mark, at):
        at = _BLANKS.match(buffer, at + len(mark)).end()  # type: ignore[union-attr]
    return at


def _encodable(value: object, escaped: bool) -> object:
    """The value itself; `ValueError` for half a surrogate pair, which only an escape can bring in
    and which no file can hold."""
    if escaped:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _bad_json(position: str, error: Exception) -> BadRow:
    return BadRow(
        position,
        "bad_json",
        f"{position}: not valid JSON ({error}); write this row again.",
    )
