"""The journal of a stage: every turn of the rollouts under way, kept from the moment it happened.

Rollouts go to their table when they are done, many at a time. Until then their turns stand in
`journal/<stage>.jsonl`: a line a reply, and once its action was executed a line with what came of
it, which takes the place of the first. A process that is killed loses the turn in progress, and the
next one asks for nothing that was answered.

A line is handed to the kernel before anything follows from it and is not synced: it outlives the
process, not a power cut. Images of observations lie in the run's image store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from curation.tables import whole
from schemas import Turn
from schemas.arrow import from_dict, plain


@dataclass(frozen=True, slots=True)
class Step:
    """A turn as far as it has come."""

    turn: Turn
    """Without a call until the action was executed."""
    prompt_tokens: int
    """Of the whole request, as the server counted them; 0 where it does not."""
    tokens: int
    """The same with the reply, as far as its length is known: replies to one request are counted
    together."""
    ran: bool = False
    """The action ran code: a session that is to go on must run it again."""
    lost: bool = False
    """The action ended the session."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: step `number` of a rollout, after which nothing of it has happened yet."""

    rollout_id: str
    number: int
    step: Step


class Journal:
    """Context manager; on leaving without an error the file goes, once all is in the table."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[str, list[bytes]] = {}
        """What the file says, less what is in the table by now."""
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(exist_ok=True)
        for line in self._path.read_bytes().splitlines(True) if self._path.exists() else ():
            if (entry := _entry(line)) is not None:
                self._keep(entry, line)
        self._rewrite()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        if kind is None and not self._lines:
            self._path.unlink()

    def recall(self, rollout_id: str) -> list[Step]:
        """The steps of a rollout that an earlier process began, or none."""
        entries = map(_entry, self._lines.get(rollout_id, ()))
        return [entry.step for entry in entries if entry is not None]

    def note(self, entries: Iterable[Entry]) -> None:
        """Add what happened; a kill from now on does not undo it."""
        lines = [(entry, _line(entry)) for entry in entries]
        assert self._file is not None, "the journal is entered before it is written"
        self._file.write(b"".join(line for _, line in lines))
        self._file.flush()
        for entry, line in lines:
            self._keep(entry, line)

    def settle(self, rollout_ids: Iterable[str]) -> None:
        """Drop rollouts that are in their table."""
        for rollout_id in rollout_ids:
            self._lines.pop(rollout_id, None)
        self._rewrite()

    def _keep(self, entry: Entry, line: bytes) -> None:
        """A step takes the place of what was noted under its number and after it."""
        kept = self._lines.setdefault(entry.rollout_id, [])
        if entry.number <= len(kept):
            kept[entry.number :] = [line]

    def _rewrite(self) -> None:
        self._close()
        with whole(self._path) as partial, partial.open("wb") as file:
            for lines in self._lines.values():
                file.writelines(lines)
        self._file = self._path.open("ab")

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(entry: Entry) -> bytes:
    return json.dumps(plain(entry)).encode() + b"\n"


def _entry(line: bytes) -> Entry | None:
    """Null for half a line, which a killed process may have left."""
    try:
        return from_dict(Entry, json.loads(line))
    except (ValueError, KeyError, TypeError):
        return None
