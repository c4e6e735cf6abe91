"""One loop that drives every dialect: ask, parse, act, observe, until an answer or a limit.

All attempts at a sample open with one request (`n` replies to one prompt, so the images are
prepared once) and then go their own ways; in a dialect without tools the opening is all there is.
A `Conversation` holds the whole state of an attempt between two turns.

What goes wrong is a stop reason of the rollout, a request that fails for good included; nothing
but a bug or a sandbox that cannot run is raised.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curation.actions import Bench, Effect, Workbench
from curation.dialects import Answer, Call, Code, Dialect, Fault
from curation.dialects.base import IMAGE
from curation.errors import RequestError
from curation.images import ImageStore
from curation.models import ModelClient, Reply, Sampling
from curation.recipe import Arm, Model, Recipe
from schemas import Message, Rollout, ToolCall, Turn

_TURN_SEED = 1_000_003
"""Attempts have neighbouring seeds (a server gives reply i of a request its seed + i); turns of
one attempt lie this far apart."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """How an arm asks its model."""

    arm: str
    model: str
    """Identity of the model, as rollouts record it."""
    dialect: Dialect
    temperature: float
    top_p: float
    max_tokens: int
    max_turns: int
    seed: int
    tools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of the recipe's tools by name: they shape what is observed."""

    @classmethod
    def of(cls, name: str, arm: Arm, model: Model, identity: str, recipe: Recipe) -> Sampler:
        named = () if arm.dialect == "direct" else recipe.tools
        return cls(
            arm=name,
            model=identity,
            dialect=recipe.dialect(arm.dialect),
            temperature=model.temperature,
            top_p=model.top_p,
            max_tokens=arm.max_tokens or model.max_tokens,
            max_turns=1 if arm.dialect == "direct" else arm.max_turns,
            seed=recipe.seed,
            tools={tool.name: tool.settings for tool in named},
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that shapes a reply: rollouts made by other settings are not mixed."""
        opening = "".join(message.content for message in self.dialect.opening("", 1))
        # Tools that a recipe does not name leave no mark: rollouts of earlier runs stay valid.
        tools = {"tools": self.tools} if self.tools else {}
        return {
            **tools,
            "model": self.model,
            "dialect": self.dialect.name,
            "prompt": hashlib.sha256(opening.encode()).hexdigest()[:12],
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "max_turns": self.max_turns,
            "seed": self.seed,
        }

    @property
    def mark(self) -> str:
        """Hash of the settings; part of a rollout's identity."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]

    def sampling(self, n: int, seed: int) -> Sampling:
        return Sampling(
            n=n,
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            stop=self.dialect.stop,
            seed=seed,
        )


@dataclass(frozen=True, slots=True)
class Unit:
    """A sample and the attempts at it that are owed, as consecutive numbers."""

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
    """Null in a dialect without tools."""

    async def roll(self, unit: Unit) -> list[Rollout]:
        """Every owed attempt at a sample."""
        started = time.perf_counter()
        first, n = min(unit.attempts), len(unit.attempts)
        seed = sample_seed(self.sampler.seed, self.sampler.arm, unit.sample_id) + first
        opening = self.sampler.dialect.opening(unit.question, len(unit.images))
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
                prompt, unit.images, sampling, affinity=unit.sample_id
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


def sample_seed(seed: int, arm: str, sample_id: str) -> int:
    """Seed of a sample's first attempt; attempt i has this seed plus i."""
    digest = hashlib.sha256(f"{seed}/{arm}/{sample_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 2


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
