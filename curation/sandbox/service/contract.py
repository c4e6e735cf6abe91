"""What DeepEyesV2's trainer asks its code server for (arXiv 2511.05271; environment `deepeyes_v2`,
server MultiModal-Jupyter-Sandbox, version 1).

`status` is `success` for everything that ran, exceptions, syntax errors and time-outs included:
their text stands in `stderr`, which the model reads. Only empty code is an error, with a text in
the place of the output. The trainer takes any other status, and any HTTP error, for the end of
the trajectory.

Three things that the trainer's situation decides:

- The model sees `stdout`, `stderr` and the images, and never `result`. So `stdout` ends with the
  echo of the last expression, `Out[0]: 42`, as the published server's does: without it a cell
  that ends in `image_1.size` would show nothing.
- The environment uses one `session_id` for all rollouts of a process, so a cell that runs into its
  time-out ends a session that others still need. The published server goes on from the state
  before that cell. Here the next cell of the id gets a fresh session, in which the code that
  brought the images runs again, and a line in its `stderr` that says what is gone. Cells of the
  model do not run again: they may take as long as the first time, and the trainer waits 240 s.
- Images arrive as base64 inside the code, so such literals do not count as code.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import time
from dataclasses import dataclass, field, replace

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from curation.sandbox.service.sessions import Sessions, UnknownError
from curation.sandbox.session import CellResult

DATA = re.compile(r"""(?<=["'])[A-Za-z0-9+/=]{200,}(?=["'])""")
"""A literal that holds an image."""
SYNTAX = re.compile(r"(?:Syntax|Indentation|Tab)Error: (.*)\Z")
KEPT = 1 << 29
"""Characters of code with images that are kept for sessions to come, all together."""
FRESH = "SessionLost: variables of earlier cells are gone, this cell ran in a fresh session"
RESTORED = FRESH + " with the images loaded again"


class CellRequest(BaseModel):
    """One cell."""

    session_id: str = Field(min_length=1, max_length=256)
    code: str
    timeout: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """Seconds; the published server's default."""


class ClearRequest(BaseModel):
    """The end of a session."""

    session_id: str = Field(min_length=1, max_length=256)


class Output(BaseModel):
    """What the model and the environment get to see."""

    result: str
    """The last expression, `None` where there is none."""
    stdout: str
    stderr: str
    images: list[str]
    """PNG as base64, without a `data:` prefix, which the environment cannot decode."""


class CellAnswer(BaseModel):
    """The answer to code that ran."""

    status: str = "success"
    execution_time: float
    """Seconds."""
    output: Output


class NoCode(BaseModel):
    """The answer to code that is empty."""

    status: str = "error"
    output: str = "Error: No code provided"


class Cleared(BaseModel):
    """The answer to the end of a session, also of one that never was."""

    status: str = "success"


@dataclass(slots=True)
class Kernel:
    """What the trainer calls a session: its id outlives the session that runs it now."""

    name: str | None = None
    images: dict[str, str] = field(default_factory=dict)
    """Code that brought images, by the same code without their data."""
    used: float = field(default_factory=time.monotonic)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Kernels:
    """The trainer's sessions, by the id that it chose."""

    def __init__(self, sessions: Sessions, *, code: int) -> None:
        """`code`: the longest code in characters, images in it not counted."""
        self._sessions = sessions
        self._code = code
        self._kernels: dict[str, Kernel] = {}

    async def run(self, session_id: str, code: str, timeout: float) -> CellResult:
        """Runs a cell in the id's session; raises BusyError, and ValueError for too long code."""
        wording = DATA.sub("", code)
        if len(wording) > self._code:
            raise ValueError(f"the code has {len(wording)} characters and {self._code} are allowed")
        kernel = self._kernels.setdefault(session_id, Kernel())
        async with self._sessions.held(kernel.turn):
            kernel.used = time.monotonic()
            brings_images = len(wording) < len(code)
            name, note = await self._ready(kernel, restore=not brings_images)
            result = await self._sessions.run(name, code, timeout)
            if brings_images and result.status == "ok":
                kernel.images[wording] = code
                self._forget_oldest()
        return replace(result, stderr=f"{note}\n{result.stderr}".strip())

    async def clear(self, session_id: str) -> None:
        """Ends the id's session, if there is one."""
        kernel = self._kernels.pop(session_id, None)
        if kernel is not None and kernel.name is not None:
            with contextlib.suppress(UnknownError):
                await self._sessions.close(kernel.name)

    def expire(self) -> None:
        """Forgets the ids that were not used for too long."""
        bound = time.monotonic() - self._sessions.idle_seconds
        for session_id, kernel in list(self._kernels.items()):
            if kernel.used < bound and not kernel.turn.locked():
                del self._kernels[session_id]

    async def _ready(self, kernel: Kernel, *, restore: bool) -> tuple[str, str]:
        """An open session, and what the model must be told if it is a fresh one."""
        if kernel.name is not None and kernel.name in self._sessions:
            return kernel.name, ""
        first = kernel.name is None
        kernel.name = await self._sessions.open()
        if first or not restore:
            return kernel.name, ""
        for code in kernel.images.values():
            await self._sessions.run(kernel.name, code)
        return kernel.name, RESTORED if kernel.images else FRESH

    def _forget_oldest(self) -> None:
        """Bounds what is kept: the ids that were not used for longest lose their images first."""
        kept = sum(sum(map(len, kernel.images.values())) for kernel in self._kernels.values())
        for kernel in sorted(self._kernels.values(), key=lambda kernel: kernel.used):
            if kept <= KEPT:
                return
            kept -= sum(map(len, kernel.images.values()))
            kernel.images.clear()


def routes(kernels: Kernels) -> APIRouter:
    """The two routes of the published server."""
    router = APIRouter(tags=["DeepEyesV2"])

    @router.post("/jupyter_sandbox")
    async def jupyter_sandbox(cell: CellRequest) -> CellAnswer | NoCode:
        """Runs a cell in the session of this id, which begins with its first cell."""
        if not cell.code.strip():
            return NoCode()
        try:
            result = await kernels.run(cell.session_id, cell.code, cell.timeout)
        except ValueError as error:
            raise HTTPException(413, str(error)) from None
        return answer(result)

    @router.post("/clear_session")
    async def clear_session(session: ClearRequest) -> Cleared:
        """Ends the session of this id and forgets its variables."""
        await kernels.clear(session.session_id)
        return Cleared()

    return router


def answer(result: CellResult) -> CellAnswer:
    """A cell's result as the published server words it."""
    output = Output(
        result=str(result.result),
        stdout=result.stdout + _echo(result.result),
        stderr=_worded(result.stderr),
        images=[base64.b64encode(image).decode() for image in result.images],
    )
    return CellAnswer(execution_time=result.seconds, output=output)


def _echo(result: str | None) -> str:
    """The last expression as IPython shows it; several lines begin on a line of their own."""
    if result is None:
        return ""
    return "Out[0]: " + ("\n" if "\n" in result else "") + result + "\n"


def _worded(stderr: str) -> str:
    """Code that does not compile is one line there, `SyntaxError - ...`, and a traceback here."""
    found = SYNTAX.search(stderr)
    if found is None or "Traceback (most recent call last)" in stderr:
        return stderr
    return f"SyntaxError - {found[1]}"
