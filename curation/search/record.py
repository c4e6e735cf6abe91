"""Every search of a run and its answer, so that replays and audits read these and no network.

`searches.jsonl` holds one line an answer and is only ever appended to, a line a system call: a
process that is killed loses at most its last line, whose torn rest every reader passes over.
Thumbnails lie in the run's image store. DuckDB reads the file as the run's table `searches`.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curation.errors import ToolError
from curation.images import ImageStore
from curation.search.found import Found, Result

FILE = "searches.jsonl"
"""In the run folder."""

_COLUMNS = {
    "tool": "VARCHAR",
    "request": "JSON",
    "results": "STRUCT(title VARCHAR, url VARCHAR, text VARCHAR, date VARCHAR, image_id VARCHAR)[]",
    "asked_at": "TIMESTAMP",
}
"""A line as DuckDB reads it."""


class Record:
    """Answers by request. Memory is needed for where an answer lies, not for the answer."""

    def __init__(self, path: Path, images: ImageStore, *, frozen: bool = False) -> None:
        """
        path: the record's file
        images: where thumbnails are kept
        frozen: read only; what was never asked is refused instead of asked
        """
        self._path, self._images, self._frozen = path, images, frozen
        self._places: dict[bytes, tuple[int, int]] = {}
        """Request to offset and length of its line."""
        self._asking: dict[bytes, asyncio.Task[Found]] = {}
        self._torn = False
        """The file ends with half a line."""
        self._read()

    def __len__(self) -> int:
        return len(self._places)

    async def recall(
        self,
        tool: str,
        request: Mapping[str, object],
        make: Callable[[], Awaitable[Found]],
    ) -> Found:
        """The answer that the request got before, or the one that `make` gives now.

        The same request is made once, however many ask at the same time, and goes on when one of
        them is cancelled. What `make` raises is raised to all of them and not recorded: the next
        one asks again.

        Raises:
            ToolError: the record is frozen and holds no answer.
        """
        key = _key(tool, request)
        if key in self._places:
            return self._load(key)
        if self._frozen:
            raise ToolError("no answer to this search is recorded, and none may be asked for now")
        if key not in self._asking:
            task = asyncio.create_task(self._ask(key, tool, request, make))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(self._asking[key])

    async def _ask(
        self,
        key: bytes,
        tool: str,
        request: Mapping[str, object],
        make: Callable[[], Awaitable[Found]],
    ) -> Found:
        found = await make()
        entry = {
            "tool": tool,
            "request": dict(request),
            "results": [self._put(result) for result in found.results],
            "asked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._append(key, _encoded(entry) + b"\n")
        return self._load(key)  # what is given now is what a replay will be given

    def _asked(self, key: bytes, task: asyncio.Task[Found]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # whoever asked may be gone; asyncio would complain of that

    def _append(self, key: bytes, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            whole = b"\n" + line if self._torn else line
            self._torn = True  # Until all of it is there: a full disk takes as much as it can.
            if os.write(handle, whole) < len(whole):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
            end = os.lseek(handle, 0, os.SEEK_CUR)
        finally:
            os.close(handle)
        self._torn = False
        self._places[key] = (end - len(line), len(line))

    def _read(self) -> None:
        if not self._path.exists():
            return
        end = 0
        with self._path.open("rb") as lines:
            for line in lines:
                self._torn = not line.endswith(b"\n")
                if (key := _key_of(line)) is not None:
                    self._places.setdefault(key, (end, len(line)))
                end += len(line)

    def _load(self, key: bytes) -> Found:
        offset, length = self._places[key]
        with self._path.open("rb") as file:
            file.seek(offset)
            entry = json.loads(file.read(length))
        return Found(tuple(self._get(fields) for fields in entry["results"]))

    def _put(self, result: Result) -> dict[str, Any]:
        image_id = None if result.image is None else self._images.put(result.image)
        return {
            "title": result.title,
            "url": result.url,
            "text": result.text,
            "date": result.date,
            "image_id": image_id,
        }

    def _get(self, fields: dict[str, Any]) -> Result:
        image_id = fields.pop("image_id")
        return Result(**fields, image=None if image_id is None else self._images.read(image_id))


def _key(tool: str, request: Mapping[str, object]) -> bytes:
    """Identity of a request, whatever the order of its fields."""
    return hashlib.sha256(_encoded([tool, dict(request)])).digest()[:16]


def _encoded(value: object) -> bytes:
    """JSON in UTF-8, which has no half surrogate pairs; a question mark stands for one."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode(errors="replace")


def _key_of(line: bytes) -> bytes | None:
    """Null for half a line."""
    try:
        entry = json.loads(line)
        return _key(entry["tool"], entry["request"])
    except (ValueError, KeyError, TypeError):
        return None


def rows_sql(path: Path) -> str:
    """DuckDB's query of a record's rows; half a line is none."""
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
    if not path.exists():
        nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in _COLUMNS.items())
        return f"SELECT {nothing} WHERE false"
    file = str(path).replace("'", "''")
    return (
        f"FROM read_json('{file}', format = 'newline_delimited', ignore_errors = true,"
        f" columns = {{{columns}}}) WHERE tool IS NOT NULL"
    )
