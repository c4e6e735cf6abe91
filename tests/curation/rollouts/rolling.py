"""Rollouts against a scripted server, for tests of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from curation.dialects import get_dialect
from curation.images import ImageStore
from curation.models import ModelClient
from curation.rollouts.actions import Workbench
from curation.rollouts.conversation import Unit
from curation.rollouts.journal import Journal
from curation.rollouts.loop import Roller
from curation.rollouts.sampler import Sampler
from curation.sandbox import Limits, Sandbox
from curation.sandbox.backend import CodeSandbox, CodeSession
from curation.tools import toolbox
from schemas import Rollout
from tests.curation.scene import picture
from tests.scripted_server import ReplyFunction, ScriptedServer, Text

QUESTION = "What is 1 plus 2?"
SAMPLE = "s" * 64


class Closed:
    """A sandbox for rollouts that run no code; opening a session is an error of the test."""

    probes: Mapping[str, str] = {}

    async def open(self, images: Sequence[bytes] = (), *, seed: int = 0) -> CodeSession:
        raise AssertionError("no code was to be run")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


def cell(*lines: str) -> str:
    """A turn of DeepEyesV2 that runs code."""
    return "<think>Look.</think>\n<code>\n```python\n" + "\n".join(lines) + "\n```\n</code>"


def turn_of(request: dict[str, Any]) -> int:
    """Replies that a request goes on from."""
    return sum(message["role"] == "assistant" for message in request["messages"])


def script(*turns: Text) -> ReplyFunction:
    """A model that says the same at every turn, whatever it sees."""

    def reply(request: dict[str, Any]) -> Sequence[Text]:
        return [turns[min(turn_of(request), len(turns) - 1)]] * request["n"]

    return reply


def roll(
    folder: Path,
    server: ScriptedServer,
    *,
    dialect: str = "deepeyes-v2",
    attempts: Sequence[int] = (0,),
    max_turns: int = 4,
    journal: Path | None = None,
    sandbox: Callable[[], CodeSandbox] = lambda: Sandbox(Limits(cell_seconds=60)),
    say: Callable[[str], None] = lambda line: None,
    **budgets: int,
) -> list[Rollout]:
    """Attempts at one sample, with a journal where its path is given."""
    store = ImageStore(folder / "images")
    image = store.path(store.put(picture(1)))
    spoken = get_dialect(dialect)
    sampler = Sampler("tools", "scripted", spoken, 1.0, 1.0, 64, max_turns, seed=5, **budgets)
    unit = Unit(SAMPLE, "sums", QUESTION, (image,), {i: f"rollout-{i}" for i in attempts})

    async def go(kept: Journal | None) -> list[Rollout]:
        async with ModelClient([server.url], retries=0, backoff=0.01) as client, sandbox() as box:
            bench = None if dialect == "direct" else Workbench(box, toolbox(dialect))
            roller = Roller(
                sampler,
                client,
                store,
                bench,
                context=await client.context_length(),
                journal=kept,
                say=say,
            )
            return await roller.roll(unit)

    with ExitStack() as stack:
        kept = stack.enter_context(Journal(journal)) if journal else None
        return asyncio.run(go(kept))
