"""Guided attempts: a plan gives the first actions, the model every word.

For the loop a guided attempt is like any other: it asks, and a reply with a thought and an action
comes. Behind that the model is asked for the thought alone, by a note at the end of the last user
message that names the step and its purpose; the note is not kept. After the planned steps the
model goes on freely, up to its answer.

A note is preferred to a reply that is begun for the model (vLLM's `continue_final_message`):
every chat endpoint takes it, and a thought that is written before the action can speak of it only
where the action was told. It stands in the last user message, since some templates refuse two user
turns in a row.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from curation.dialects import Dialect, Fault
from curation.dialects.base import IMAGE
from curation.images import identify
from curation.models import Completion, Reply, Sampling
from curation.models.messages import ImagePart
from curation.rollouts.conversation import Unit
from curation.rollouts.loop import Asked, Roller
from curation.rollouts.plans import NOTE, Scene, Step, action, choose, written
from schemas import Message, Rollout

_END = "</think>"
_MARKUP = ("<think>", "<code>", "<tool_call>", "<answer>", "```", IMAGE)


@dataclass(frozen=True, slots=True)
class Guide:
    """Answers like a model client: the first turns hold the steps of a plan."""

    client: Asked
    steps: Sequence[Step]
    dialect: Dialect
    opening: int
    """Messages up to the question."""

    async def complete(
        self,
        messages: Sequence[Message],
        images: Sequence[ImagePart],
        sampling: Sampling,
        *,
        affinity: str | None = None,
        share: float = 1.0,
    ) -> Completion:
        """A reply as `ModelClient.complete` gives it."""
        turn = (len(messages) - self.opening) // 2
        if turn < len(self.steps):
            messages = noted(messages, self.steps[turn], self.dialect.name)
            sampling = replace(sampling, stop=(_END,))
        completion = await self.client.complete(
            messages, images, sampling, affinity=affinity, share=share
        )
        if turn >= len(self.steps):
            return completion
        step = self.steps[turn]
        said = tuple(worded(reply, step, self.dialect) for reply in completion.replies)
        return replace(completion, replies=said)


def noted(messages: Sequence[Message], step: Step, dialect: str) -> list[Message]:
    """The conversation with the note about its next step."""
    planned = action(step, dialect)
    assert planned is not None, "plans are chosen among those that the dialect can write"
    *before, last = messages
    note = NOTE.format(action=written(planned), purpose=step.purpose)
    return [*before, Message(last.role, last.content + note)]


def worded(reply: Reply, step: Step, dialect: Dialect) -> Reply:
    """The model's thought before the planned action; what holds more than a thought, or none, is
    left as a reply without an action, which ends the attempt."""
    thought = reply.text.strip().removeprefix("<think>").partition(_END)[0].strip()
    planned = action(step, dialect.name)
    if planned is None or not thought or any(mark in thought for mark in _MARKUP):
        own = isinstance(dialect.parse(reply.text), Fault)
        return Reply(reply.text if own else "", reply.finish_reason)
    return Reply(f"<think>\n{thought}\n</think>\n{written(planned)}", reply.finish_reason)


@dataclass(frozen=True, slots=True)
class GuidedRoller:
    """Makes guided attempts; one that no plan suits is a free one."""

    roller: Roller
    plans: tuple[str, ...]

    async def roll(self, unit: Unit) -> list[Rollout]:
        """The unit's attempts, each by a plan of its own."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._attempt(unit, attempt)) for attempt in unit.attempts]
        return [rollout for task in tasks for rollout in task.result()]

    async def _attempt(self, unit: Unit, attempt: int) -> list[Rollout]:
        sampler = self.roller.sampler
        rng = random.Random(f"{sampler.seed}/{unit.sample_id}/{attempt}")
        plan, steps = choose(
            self.plans,
            scene(unit),
            rng,
            turn=int(unit.sample_id[:8], 16) + attempt,
            most=sampler.max_turns - 1,
            dialect=sampler.dialect.name,
        )
        opening = len(sampler.opening(unit.question, len(unit.images)))
        author = self.roller.author
        roller = replace(
            self.roller,
            client=Guide(self.roller.client, steps, sampler.dialect, opening),
            author=author and replace(author, plan=plan),
        )
        return await roller.roll(replace(unit, attempts={attempt: unit.attempts[attempt]}))


def scene(unit: Unit) -> Scene:
    """What is known about a unit's sample."""
    images = [identify(path.read_bytes()) for path in unit.images]
    computation = json.loads(unit.metadata).get("computation")
    return Scene(
        boxes=unit.evidence,
        sizes=tuple((image.width, image.height) for image in images),
        computation=computation if isinstance(computation, str) else "",
    )
