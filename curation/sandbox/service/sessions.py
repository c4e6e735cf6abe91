"""The open sessions of the service: a bounded number, each under an id, ended when unused.

A request waits a bounded time for what it needs (a place for a session, the session's turn, a
core) and is then told to come again; until then nothing of it was done, so asking again is safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from curation.sandbox.sandbox import Sandbox
from curation.sandbox.service.metrics import Meters
from curation.sandbox.session import CellResult, Session

Gate = asyncio.Lock | asyncio.Semaphore


class BusyError(Exception):
    """What a request needs did not come free in time."""


class UnknownError(Exception):
    """No session has this id, or none has it any more."""


@dataclass(slots=True)
class Seat:
    """An open session."""

    session: Session
    idle: float
    """Seconds without use after which it is ended."""
    used: float = field(default_factory=time.monotonic)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Sessions:
    """Opens sessions of a sandbox, runs cells in them and ends them."""

    def __init__(
        self,
        sandbox: Sandbox,
        meters: Meters,
        *,
        places: int,
        cells: int,
        wait_seconds: float,
        idle_seconds: float,
    ) -> None:
        """`places` sessions may be open and `cells` cells run at once, as in the sandbox."""
        self.sandbox = sandbox
        self.idle_seconds = idle_seconds
        self.stopping = False
        self._meters = meters
        self._wait = wait_seconds
        self._places = asyncio.Semaphore(places)
        self._cores = asyncio.Semaphore(cells)
        self._seats: dict[str, Seat] = {}
        self._waits: set[asyncio.Timeout] = set()
        meters.watch("sessions", "Open sessions.", lambda: len(self._seats))
        meters.watch("places", "Sessions that may be open.", lambda: places)
        meters.watch("starts", "Starts of the fork server.", lambda: sandbox.server_starts)

    def __contains__(self, name: str) -> bool:
        return name in self._seats

    async def open(
        self, images: Sequence[bytes] = (), *, seed: int = 0, idle_seconds: float | None = None
    ) -> str:
        """The id of a new session; raises BusyError, or as `Sandbox.open`."""
        async with self.patience():
            await self._places.acquire()
        try:
            session = await self.sandbox.open(images, seed=seed)
        except BaseException:
            self._places.release()
            raise
        name = secrets.token_urlsafe(16)
        self._seats[name] = Seat(session, min(idle_seconds or self.idle_seconds, self.idle_seconds))
        return name

    async def run(self, name: str, code: str, timeout: float | None = None) -> CellResult:
        """Runs a cell, for at most the sandbox's `cell_seconds`.

        Raises UnknownError, and BusyError before anything was run. A time-out ends the session.
        """
        seat = self._seats.get(name)
        if seat is None:
            raise UnknownError
        bound = self.sandbox.limits.cell_seconds
        async with self.held(seat.turn, self._cores):
            result = await seat.session.run(code, timeout=min(timeout or bound, bound))
            seat.used = time.monotonic()
        self._meters.ran(result)
        if result.status in ("timeout", "lost"):
            await self._end(name)
        return result

    async def close(self, name: str) -> None:
        """Ends a session, also in the middle of a cell; raises UnknownError."""
        if name not in self._seats:
            raise UnknownError
        await self._end(name)

    async def expire(self) -> None:
        """Ends the sessions that were not used for too long."""
        now = time.monotonic()
        for name, seat in list(self._seats.items()):
            if now - seat.used > seat.idle and not seat.turn.locked():
                self._meters.expired()
                await self._end(name)

    def stop(self) -> None:
        """Takes no new work: who waits is sent away, what runs may end."""
        self.stopping = True
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def held(self, *gates: Gate) -> AsyncIterator[None]:
        """Holds all of them; raises BusyError when they do not come free in time."""
        async with contextlib.AsyncExitStack() as held:
            async with self.patience():
                for gate in gates:
                    await held.enter_async_context(gate)
            yield

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        """The bounded time in which a request may wait for its turn."""
        if self.stopping:
            raise BusyError
        try:
            async with asyncio.timeout(self._wait) as wait:
                self._waits.add(wait)
                try:
                    yield
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            self._meters.refused()
            raise BusyError from None

    async def _end(self, name: str) -> None:
        seat = self._seats.pop(name, None)
        if seat is not None:
            try:
                await seat.session.close()
            finally:
                self._places.release()
