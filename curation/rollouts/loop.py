"""One loop that drives every dialect: ask, parse, act, observe, until an answer or a limit.

All attempts at a sample open with one request (`n` replies to one prompt, so the images are
prepared once) and then go their own ways; in a dialect without tools the opening is all there is.
A `Conversation` holds the whole state of an attempt between two turns.

What goes wrong is a stop reason of the rollout, a request that fails for good included; nothing
but a bug or a sandbox that cannot run is raised.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from curation.dialects import Answer, Call, Code, Fault
from curation.dialects.base import IMAGE
from curation.errors import RequestError
from curation.images import ImageStore
from curation.models import ModelClient, Reply, Sampling
from curation.rollouts.actions import Bench, Effect, Workbench
from curation.rollouts.sampler import Sampler, sample_seed
from schemas import Message, Rollout, ToolCall, Turn

_TURN_SEED = 1_000_003
"""Attempts have neighbouring seeds (a server gives reply i of a request its seed + i); turns of
one attempt lie this far apart."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A sample and attempts at it; those that are drawn together are consecutive numbers."""

    sample_id: str
    source: str
    question: str
    images: tuple[Path, ...]
    attempts: Mapping[int, str]
    """Attempt to rollout id."""
    origin_id: str = ""
    """The sample's id in its source, which some tools look things up by."""


@dataclass(slots=True)
class Conversation:
    """An attempt between two turns."""

    attempt: int
    seed: int
    messages: list[Message]
    images: list[Path]
    turns: list[Turn] = field(default_factory=list)
    prediction: str | None = None
    stop_reason: str | None = None
    """Null while it goes on."""
    error: str | None = None

    def stop(self, reason: str, error: str | None = None) -> None:
        self.stop_reason, self.error = reason, error


@dataclass(frozen=True, slots=True)
class Roller:
    """Makes the rollouts of one arm."""

    sampler: Sampler
    client: ModelClient
    store: ImageStore
    workbench: Workbench | None = None
    """Null where no action is executed."""
    full: int = 1
    """Attempts that take one place among the client's requests in flight; fewer take a share."""

    async def roll(self, unit: Unit) -> list[Rollout]:
        """The unit's attempts, which open with one request."""
        started = time.perf_counter()
        first, n = min(unit.attempts), len(unit.attempts)
        seed = sample_seed(self.sampler.seed, self.sampler.arm, unit.sample_id) + first
        opening = self.sampler.opening(unit.question, len(unit.images))
        conversations = [
            Conversation(first + i, seed + i, list(opening), list(unit.images)) for i in range(n)
        ]
        await self._open(conversations, unit, self.sampler.sampling(n, seed))
        if self.workbench is not None:
            async with asyncio.TaskGroup() as group:
                for conversation in conversations:
                    group.create_task(self._go_on(conversation, unit, self.workbench))
        return [self._rollout(c, unit, time.perf_counter() - started) for c in conversations]

    async def _open(
        self, conversations: list[Conversation], unit: Unit, sampling: Sampling
    ) -> None:
        """The first turn of every attempt, from one request."""
        prompt = conversations[0].messages
        try:
            completion = await self.client.complete(
                prompt,
                unit.images,
                sampling,
                affinity=unit.sample_id,
                share=min(1.0, sampling.n / self.full),
            )
        except RequestError as error:
            for conversation in conversations:
                conversation.stop("model_error", str(error))
            return
        tokens = _shares(completion.completion_tokens, len(conversations))
        for i, (conversation, reply) in enumerate(
            zip(conversations, completion.replies, strict=True)
        ):
            # The prompt is charged once, to the first attempt, so that sums are what was paid.
            self._take(conversation, reply, (0 if i else completion.prompt_tokens, tokens[i]))

    async def _go_on(self, conversation: Conversation, unit: Unit, workbench: Workbench) -> None:
        """Act on the last turn and ask for the next one, until the conversation stops."""
        if conversation.stop_reason is not None:
            return
        async with workbench.bench(unit.images, conversation.seed, unit.origin_id) as bench:
            await self._act(conversation, bench)
            while conversation.stop_reason is None:
                await self._ask(conversation, unit)
                if conversation.stop_reason is None:
                    await self._act(conversation, bench)

    async def _ask(self, conversation: Conversation, unit: Unit) -> None:
        seed = (conversation.seed + _TURN_SEED * len(conversation.turns)) % 2**31
        try:
            completion = await self.client.complete(
                conversation.messages,
                conversation.images,
                self.sampler.sampling(1, seed),
                affinity=unit.sample_id,
            )
        except RequestError as error:
            return conversation.stop("model_error", str(error))
        usage = (completion.prompt_tokens, completion.completion_tokens)
        self._take(conversation, completion.replies[0], usage)

    async def _act(self, conversation: Conversation, bench: Bench) -> None:
        """Execute what the last turn asked for, and tell what came of it."""
        turn = conversation.turns[-1]
        action = self.sampler.dialect.parse(turn.text)
        assert isinstance(action, Code | Call), "other actions stop the conversation"
        effect = await bench.act(action)
        text = self.sampler.dialect.observation(effect.observed)
        image_ids = tuple(self.store.put(image) for image in effect.images)
        conversation.turns[-1] = replace(turn, call=_tool_call(effect, text, image_ids))
        conversation.messages += [Message("assistant", turn.text), Message("user", text)]
        conversation.images += [self.store.path(image_id) for image_id in image_ids]
        if effect.lost:
            conversation.stop("tool_lost", effect.error)

    def _take(self, conversation: Conversation, reply: Reply, usage: tuple[int, int]) -> None:
        """Add a reply as a turn, and stop unless it asks for an action that may follow."""
        conversation.turns.append(Turn(reply.text, None, reply.finish_reason, *usage))
        match self.sampler.dialect.parse(reply.text):
            case Answer(text):
                conversation.prediction = text
                conversation.stop("answered")
            case _ if reply.finish_reason == "length":
                conversation.stop("length", f"cut off after {self.sampler.max_tokens} tokens")
            case Fault(reason):
                conversation.stop("parse_error", reason)
            case _ if IMAGE in reply.text:
                conversation.stop("parse_error", "image_placeholder")
            case _ if len(conversation.turns) >= self.sampler.max_turns:
                conversation.stop("max_turns")

    def _rollout(self, conversation: Conversation, unit: Unit, seconds: float) -> Rollout:
        return Rollout(
            rollout_id=unit.attempts[conversation.attempt],
            sample_id=unit.sample_id,
            arm=self.sampler.arm,
            attempt=conversation.attempt,
            model=self.sampler.model,
            dialect=self.sampler.dialect.name,
            seed=conversation.seed,
            turns=tuple(conversation.turns),
            prediction=conversation.prediction,
            stop_reason=conversation.stop_reason or "max_turns",
            error=conversation.error,
            seconds=seconds,
        )


def _tool_call(effect: Effect, text: str, image_ids: tuple[str, ...]) -> ToolCall:
    return ToolCall(
        name=effect.name,
        arguments=effect.arguments,
        text=text,
        stdout=effect.said,
        stderr=effect.observed.stderr,
        image_ids=image_ids,
        error=effect.error,
        seconds=effect.seconds,
    )


def _shares(total: int, parts: int) -> list[int]:
    """A total in whole parts; servers count the tokens of a request, not of each reply."""
    return [total // parts + (i < total % parts) for i in range(parts)]
