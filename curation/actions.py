"""What a rollout may do: run its code in the sandbox, call a tool; and what came back.

The same bench runs a teacher's actions again when its trajectories are verified.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from curation.dialects import Call, Code, Observed
from curation.dialects.base import IMAGE
from curation.errors import ToolError
from curation.sandbox import Sandbox, Session
from curation.tools import DEEPEYES_TOOLS, Workspace, call_tool


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


class Bench:
    """The tools of one rollout; the sandbox session opens with the first code."""

    def __init__(self, sandbox: Sandbox, images: Sequence[bytes], seed: int) -> None:
        self._sandbox, self._images, self._seed = sandbox, list(images), seed
        self._session: Session | None = None

    async def act(self, action: Code | Call) -> Effect:
        """Execute an action; what goes wrong in it is part of what is observed."""
        if isinstance(action, Code):
            return await self._run(action.code)
        started = time.perf_counter()
        arguments = json.dumps(action.arguments, ensure_ascii=False)
        images: tuple[bytes, ...] = ()
        try:
            workspace = Workspace(self._images)
            result = call_tool(DEEPEYES_TOOLS, workspace, action.name, action.arguments)
        except ToolError as error:
            observed = Observed(error=_plain(str(error)))
        else:
            images = result.images
            observed = Observed(stdout=_plain(result.text), images=len(images))
        seconds = time.perf_counter() - started
        return Effect(action.name, arguments, observed, images, False, seconds)

    async def _run(self, code: str) -> Effect:
        if self._session is None:
            try:
                self._session = await self._sandbox.open(self._images, seed=self._seed)
            except ValueError as error:  # an image that the sandbox refuses
                return Effect("python", code, Observed(stderr=str(error)), (), True, 0.0)
        cell = await self._session.run(code)
        observed = Observed(_plain(cell.stdout), _plain(cell.stderr), len(cell.images))
        return Effect("python", code, observed, cell.images, cell.status == "lost", cell.seconds)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _plain(text: str) -> str:
    """Printed text must not pass for an image of the conversation."""
    return text.replace(IMAGE, "&lt;image&gt;")


@dataclass(frozen=True, slots=True)
class Workbench:
    """Gives every rollout a bench of its own."""

    sandbox: Sandbox
    kind: type[Bench] = Bench

    @asynccontextmanager
    async def bench(self, images: Sequence[Path], seed: int) -> AsyncIterator[Bench]:
        bench = self.kind(self.sandbox, [path.read_bytes() for path in images], seed)
        try:
            yield bench
        finally:
            await bench.close()
