"""Sessions as DeepEyesV2's trainer thinks of them: an id of its own choice, and cells.

The environment uses one `session_id` for all rollouts of a process, so a cell that runs into its
time-out ends a session that others still need. The published server goes on from the state before
that cell. Here the next cell of the id gets a fresh session, in which the code that brought the
images runs again, and a line in its `stderr` that says what is gone. Cells of the model do not run
again: they may take as long as the first time, and the trainer waits for at most 240 s.

Images arrive as base64 inside the code, so such literals do not count as code.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field, replace

from curation.sandbox.service.sessions import BusyError, Sessions, UnknownError
from curation.sandbox.session import CellResult

DATA = re.compile(r"""(?<=["'])[A-Za-z0-9+/=]{200,}(?=["'])""")
"""A literal that holds an image."""
KEPT = 1 << 29
"""Characters of code with images that are kept for sessions to come, all together."""
FRESH = "SessionLost: variables of earlier cells are gone, this cell ran in a fresh session"
RESTORED = FRESH + " with the images loaded again"


@dataclass(slots=True)
class TrainerSession:
    """What lives on under the trainer's id when the session that ran its cells is lost."""

    name: str | None = None
    """Id of the session that runs its cells; None before the first."""
    images: dict[str, str] = field(default_factory=dict)
    """Code that brought images, by the same code without their data."""
    note: str = ""
    """What the model must be told with its next result."""
    used: float = field(default_factory=time.monotonic)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def kept(self) -> int:
        """Characters of its images' code."""
        return sum(map(len, self.images.values()))


class TrainerSessions:
    """The trainer's sessions, by its ids."""

    def __init__(self, sessions: Sessions, *, code: int) -> None:
        """`code`: the longest code in characters, images in it not counted."""
        self._sessions = sessions
        self._code = code
        self._by_id: dict[str, TrainerSession] = {}

    async def run(self, session_id: str, code: str, timeout: float) -> CellResult:
        """Runs a cell in the id's session; raises BusyError, and ValueError for too long code."""
        wording = DATA.sub("", code)
        if len(wording) > self._code:
            raise ValueError(f"the code has {len(wording)} characters and {self._code} are allowed")
        brings_images = len(wording) < len(code)
        entry = self._by_id.setdefault(session_id, TrainerSession())
        async with self._sessions.held(entry.turn):
            entry.used = time.monotonic()
            name = await self._ready(entry, restore=not brings_images)
            result = await self._sessions.run(name, code, timeout)
            note, entry.note = entry.note, ""
            if brings_images and result.status == "ok":
                entry.images[wording] = code
                self._forget_oldest()
        return replace(result, stderr=f"{note}\n{result.stderr}".strip())

    async def clear(self, session_id: str) -> None:
        """Ends the id's session, if there is one."""
        entry = self._by_id.pop(session_id, None)
        if entry is not None and entry.name is not None:
            with contextlib.suppress(UnknownError):
                await self._sessions.close(entry.name)

    def expire(self) -> None:
        """Forgets the ids that were not used for too long."""
        bound = time.monotonic() - self._sessions.idle_seconds
        for session_id, entry in list(self._by_id.items()):
            if entry.used < bound and not entry.turn.locked():
                del self._by_id[session_id]

    async def _ready(self, entry: TrainerSession, *, restore: bool) -> str:
        """The id of an open session, with the images loaded again if it had to be a fresh one."""
        if entry.name is not None and entry.name in self._sessions:
            return entry.name
        first = entry.name is None
        name = entry.name = await self._sessions.open()
        if restore and not first:
            entry.note = RESTORED if entry.images else FRESH
            try:
                for code in entry.images.values():
                    await self._sessions.run(name, code)
            except BusyError:
                await self._sessions.close(name)
                raise
        return name

    def _forget_oldest(self) -> None:
        """Bounds what is kept: the ids that were not used for longest lose their images first."""
        kept = sum(entry.kept for entry in self._by_id.values())
        for entry in sorted(self._by_id.values(), key=lambda entry: entry.used):
            if kept <= KEPT:
                return
            kept -= entry.kept
            entry.images.clear()
