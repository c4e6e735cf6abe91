"""What a rollout may do: run its code in the sandbox, call a tool; and what came back.

The same bench runs a teacher's actions again when its trajectories are verified.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from curation.dialects import Call, Code, Observed
from curation.dialects.base import IMAGE
from curation.errors import ToolError
from curation.sandbox import CellResult, CodeSandbox, CodeSession
from curation.search.record import Record
from curation.tools import Tool, ToolResult, Workspace, call_tool


@dataclass(frozen=True, slots=True)
class Effect:
    """One executed action."""

    name: str
    """python, or the name of the called tool."""
    arguments: str
    observed: Observed
    images: tuple[bytes, ...]
    """PNG."""
    lost: bool
    """The session is gone; the rollout cannot go on."""
    seconds: float
    ran: bool
    """Code ran, as a tool may do too: later cells build on what it left in the session."""

    @property
    def said(self) -> str:
        """What came back on paper: a tool's answer, or what code printed."""
        return self.observed.stdout if self.observed.answer is None else self.observed.answer

    @property
    def error(self) -> str | None:
        """What went wrong, as it was told to the model."""
        return self.observed.error or self.observed.stderr or None


class Kernel:
    """The interpreter of one rollout: a sandbox session that opens with the first code."""

    def __init__(self, sandbox: CodeSandbox, images: Sequence[bytes], seed: int) -> None:
        self._sandbox, self._images, self._seed = sandbox, images, seed
        self._session: CodeSession | None = None
        self.lost = False
        self.cells = 0
        """That were run so far."""

    async def run(self, code: str) -> CellResult:
        """Run a cell; an image that the sandbox refuses is a lost session."""
        try:
            if self._session is None:
                self._session = await self._sandbox.open(self._images, seed=self._seed)
            cell = await self._session.run(code)
        except ValueError as error:
            cell = CellResult("", str(error), None, (), "lost", 0.0)
        self.cells += 1
        self.lost = cell.status == "lost"
        return cell

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class Bench:
    """The code and the tools of one rollout."""

    def __init__(self, kernel: Kernel, tools: Mapping[str, Tool], workspace: Workspace) -> None:
        self._kernel, self._tools, self._workspace = kernel, tools, workspace

    async def act(self, action: Code | Call) -> Effect:
        """Execute an action; what goes wrong in it is part of what is observed."""
        started, cells = time.perf_counter(), self._kernel.cells
        if isinstance(action, Code):
            name, arguments = "python", action.code
            cell = await self._kernel.run(action.code)
            images = cell.images
            observed = Observed(_plain(cell.stdout), _plain(cell.stderr), len(images))
        else:
            name, arguments = action.name, json.dumps(action.arguments, ensure_ascii=False)
            observed, images = await self._call(action)
        seconds = time.perf_counter() - started
        ran = self._kernel.cells > cells
        return Effect(name, arguments, observed, images, self._kernel.lost, seconds, ran)

    async def _call(self, call: Call) -> tuple[Observed, tuple[bytes, ...]]:
        try:
            result = await call_tool(self._tools, self._workspace, call.name, call.arguments)
        except ToolError as error:
            return Observed(error=_plain(str(error))), ()
        return Observed(answer=_placed(result), images=len(result.images)), result.images


def _placed(result: ToolResult) -> str:
    """A tool's text with one placeholder an image, after the text unless the tool placed them."""
    if result.text.count(IMAGE) == len(result.images):
        return result.text
    return _plain(result.text) + IMAGE * len(result.images)


def _plain(text: str) -> str:
    """Printed text must not pass for an image of the conversation."""
    return text.replace(IMAGE, "&lt;image&gt;")


@dataclass(frozen=True, slots=True)
class Workbench:
    """Gives every rollout a bench of its own."""

    sandbox: CodeSandbox
    tools: Mapping[str, Tool] = field(default_factory=dict)
    kind: type[Bench] = Bench
    record: Record | None = None
    """Of the run's searches; a frozen one for replays."""

    @asynccontextmanager
    async def bench(
        self, images: Sequence[Path], seed: int, origin_id: str = ""
    ) -> AsyncIterator[Bench]:
        encoded = [path.read_bytes() for path in images]
        kernel = Kernel(self.sandbox, encoded, seed)
        try:
            yield self.kind(kernel, self.tools, Workspace(encoded, origin_id, kernel, self.record))
        finally:
            await kernel.close()
