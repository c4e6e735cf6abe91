"""A session: cells that share their names, in a process of their own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from curation.errors import SandboxError
from curation.sandbox.encode import encode_png
from curation.sandbox.jail import wire
from curation.sandbox.limits import Limits
from curation.sandbox.link import LieError, Link, readable
from curation.sandbox.signals import kill, pause, resume

Status = Literal["ok", "error", "timeout", "lost"]

TIMEOUT_TEXT = "TimeOutError: code execution timed out"
"""What DeepEyesV2's sandbox tells the model."""
LOST = "SessionLost: the session is gone with its variables: "
"""What a cell is told whose session is no more; the reason follows."""
OPEN_SECONDS = 60.0
END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class CellResult:
    """What a cell did. `stderr` is empty exactly when the status is `ok`."""

    stdout: str
    stderr: str
    """The traceback; warnings and other writing to stderr never appear."""
    result: str | None
    """The repr of the last expression; None when it is None or was shown as an image."""
    images: tuple[bytes, ...]
    """PNG, encoded on the host."""
    status: Status
    """`timeout` and `lost` end the session: later cells are `lost`."""
    seconds: float


class Session:
    """One rollout's interpreter. Cells run one after the other; nothing is shared with others."""

    def __init__(
        self,
        link: Link,
        handle: int,
        limits: Limits,
        cores: asyncio.Semaphore,
        release: Callable[[Session], None],
    ) -> None:
        self._link = link
        self._handle = handle
        self._limits = limits
        self._cores = cores
        self._release = release
        self._left = limits.session_seconds
        self._lost: str | None = None
        self._ended: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def begin(self, images: Sequence[bytes], seed: int) -> None:
        """Loads the images; raises ValueError for one that cannot be decoded, SandboxError."""
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._link.send(wire.pack_opening(seed, images))
                reply = await self._link.reply(self._limits)
        except (TimeoutError, LieError, EOFError, OSError) as error:
            raise SandboxError(f"a session did not start: {error!r}") from error
        if reply.stderr:
            raise ValueError(reply.stderr)

    async def run(self, code: str, *, timeout: float | None = None) -> CellResult:
        """Runs a cell for at most `timeout` seconds; what goes wrong is told in the result."""
        async with self._turn:
            fault = self._refusal(code)
            if fault:
                return fault
            async with self._cores:
                started = time.perf_counter()
                allowed = self._limits.cell_seconds if timeout is None else timeout
                reply, status = await self._attempt(code, min(allowed, self._left))
                seconds = time.perf_counter() - started
            self._left -= seconds
            images = await asyncio.to_thread(_encode_all, reply.images) if reply.images else ()
        return CellResult(reply.stdout, reply.stderr, reply.result, images, status, seconds)

    async def close(self) -> None:
        """Ends the session and everything it started; closing twice is fine."""
        self._closing = self._closing or asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _refusal(self, code: str) -> CellResult | None:
        """What can be answered without asking the session."""
        return refusal(code, self._limits) if self._lost is None else lost(self._lost)

    async def _attempt(self, code: str, seconds: float) -> tuple[wire.Reply, Status]:
        status: Status = "lost"
        try:
            async with asyncio.timeout(seconds):
                self._link.check_silent()
                resume(self._handle)
                await self._link.send(wire.pack_cell(code))
                reply = await self._link.reply(self._limits)
                self._link.check_silent()
            # Threads that a cell leaves behind take no time from other sessions.
            pause(self._handle)
            return reply, "error" if reply.stderr else "ok"
        except TimeoutError:
            status = "timeout"
            self._lost = self._lost or "a cell timed out"
        except LieError as lie:
            self._lost = self._lost or f"it sent {lie}"
        except (EOFError, OSError):
            self._lost = self._lost or "its process ended"
        except asyncio.CancelledError:
            # The reply that is under way would be taken for that of the next cell.
            self._lost = self._lost or "a cell was cancelled"
            await self._kill()
            raise
        await self._kill()
        return wire.Reply(stderr=TIMEOUT_TEXT if status == "timeout" else LOST + self._lost), status

    async def _close(self) -> None:
        self._lost = self._lost or "it was closed"
        try:
            await self._kill()
        finally:
            async with self._turn:  # a cell that still runs sees the end of the link first
                self._link.close()
                os.close(self._handle)
            self._release(self)

    async def _kill(self) -> None:
        """Kills the session's namespace and waits until nothing of it runs."""
        self._ended = self._ended or asyncio.create_task(self._end())
        await asyncio.shield(self._ended)

    async def _end(self) -> None:
        kill(self._handle)
        try:
            async with asyncio.timeout(END_SECONDS):
                await readable(self._handle)
        except TimeoutError as error:
            raise SandboxError("a killed session does not end: the kernel is stuck") from error


def lost(reason: str) -> CellResult:
    """What every cell of a session that is gone gets."""
    return CellResult("", LOST + reason, None, (), "lost", 0.0)


def refusal(code: str, limits: Limits) -> CellResult | None:
    """The answer to code that is not worth asking a session about; None where it is."""
    if not code.strip():
        return CellResult("", "EmptyCode: the cell holds no code", None, (), "error", 0.0)
    if len(code) > limits.code:
        text = f"CodeTooLong: {len(code)} characters where {limits.code} are allowed"
        return CellResult("", text, None, (), "error", 0.0)
    return None


def _encode_all(images: Sequence[wire.Pixels]) -> tuple[bytes, ...]:
    return tuple(encode_png(*image) for image in images)
