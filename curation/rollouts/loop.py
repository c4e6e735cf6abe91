"""One loop that drives every dialect: ask, parse, act, observe, until an answer or a limit.

All attempts at a sample open with one request (`n` replies to one prompt, so the images are
prepared once) and then go their own ways; in a dialect without tools the opening is all there is.
A `Conversation` holds the whole state of an attempt between two turns, and the journal holds its
steps: attempts that an earlier process began go on from their last one.

What goes wrong is a stop reason of the rollout, a request that fails for good included; nothing
but a bug or a sandbox that cannot run is raised.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from curation.dialects import Call, Code
from curation.errors import CapReached, ContextError, RequestError
from curation.images import ImageStore, identify
from curation.models import Completion, ImagePart, Reply, Sampling
from curation.rollouts.actions import Bench, Effect, Workbench
from curation.rollouts.conversation import Conversation, Unit
from curation.rollouts.journal import Entry, Journal, Step
from curation.rollouts.sampler import Sampler
from schemas import Author, Message, Rollout, ToolCall, Turn

_UNPAID = "unpaid"
"""Why an attempt stops whose next request no budget allows; it becomes no rollout."""


class Asked(Protocol):
    """Who is asked for the next turn: a model client, or what stands before one."""

    async def complete(
        self,
        messages: Sequence[Message],
        images: Sequence[ImagePart],
        sampling: Sampling,
        *,
        affinity: str | None = None,
        share: float = 1.0,
    ) -> Completion: ...


@dataclass(frozen=True, slots=True)
class Roller:
    """Makes the rollouts of one arm."""

    sampler: Sampler
    client: Asked
    store: ImageStore
    workbench: Workbench | None = None
    """Null where no action is executed."""
    full: int = 1
    """Attempts that take one place among the client's requests in flight; fewer take a share."""
    context: int | None = None
    """Tokens that prompt and reply may have together; null where the server does not say."""
    journal: Journal | None = None
    """Null where nothing is to be gone on with later."""
    say: Callable[[str], None] = lambda line: None
    author: Author | None = None
    """Of rollouts that may become trajectories."""

    async def roll(self, unit: Unit) -> list[Rollout]:
        """The unit's attempts; those of which nothing is in the journal open with one request.

        Those that a cap cut short are missing: they are still owed, and go on from the journal.
        """
        started = time.perf_counter()
        conversations = [self._restored(unit, attempt) for attempt in unit.attempts]
        for together in _neighbours([each for each in conversations if not each.steps]):
            await self._open(together)
        if self.workbench is not None:
            async with asyncio.TaskGroup() as group:
                for conversation in conversations:
                    group.create_task(self._go_on(conversation, self.workbench))
        seconds = time.perf_counter() - started
        paid = [each for each in conversations if each.stop_reason != _UNPAID]
        return [each.rollout(seconds, self.author) for each in paid]

    def _restored(self, unit: Unit, attempt: int) -> Conversation:
        """The attempt as far as the journal has it."""
        conversation = Conversation(self.sampler, unit, attempt)
        for step in self.journal.recall(conversation.rollout_id) if self.journal else ():
            conversation.take(step)
            if step.turn.call is not None:
                self._observe(conversation, step)
        return conversation

    async def _open(self, conversations: Sequence[Conversation]) -> None:
        """The first turn of attempts with neighbouring numbers, from one request."""
        share = min(1.0, len(conversations) / self.full)
        completion = await self._ask(conversations, share)
        if completion is not None:
            self._take(conversations, completion)

    async def _go_on(self, conversation: Conversation, workbench: Workbench) -> None:
        """Turn after turn until the attempt stops, in a session that has run what it ran before."""
        unit = conversation.unit
        while conversation.stop_reason is None:
            async with workbench.bench(unit.images, conversation.seed, unit.origin_id) as bench:
                if await self._caught_up(conversation, bench):
                    return await self._converse(conversation, bench)
            self.say(
                f"{self.sampler.arm}: attempt {conversation.attempt} at sample"
                f" {unit.sample_id[:12]} begins anew: its code gave something else when it was"
                " run again"
            )
            conversation.begin()
            await self._open([conversation])

    async def _caught_up(self, conversation: Conversation, bench: Bench) -> bool:
        """Run again what ran in the session of an earlier process; whether all came out as then."""
        for step in conversation.steps:
            if step.ran:
                again = self._acted(step, await bench.act(self._action(step)))
                if _seen(again) != _seen(step):
                    return False
        return True

    async def _converse(self, conversation: Conversation, bench: Bench) -> None:
        """Act and ask by turns, beginning with what the last step lacks."""
        while conversation.stop_reason is None:
            if conversation.steps[-1].turn.call is None:
                await self._act(conversation, bench)
            elif self._is_full(conversation):
                conversation.stop("context_full", f"{conversation.tokens} of {self.context} tokens")
            elif completion := await self._ask([conversation]):
                self._take([conversation], completion)

    def _is_full(self, conversation: Conversation) -> bool:
        """Whether a whole turn no longer fits; what the last observation takes the server knows."""
        return (
            self.context is not None
            and conversation.tokens + self.sampler.max_tokens > self.context
        )

    async def _ask(
        self, conversations: Sequence[Conversation], share: float = 1.0
    ) -> Completion | None:
        """The next turn of attempts that have said the same so far; stops them where it fails."""
        one = conversations[0]
        try:
            return await self.client.complete(
                one.messages,
                one.images,
                self.sampler.sampling(len(conversations), one.turn_seed),
                affinity=one.unit.sample_id,
                share=share,
            )
        except CapReached:
            for conversation in conversations:
                conversation.stop(_UNPAID)
            return None
        except RequestError as error:
            reason = "context_full" if isinstance(error, ContextError) else "model_error"
            for conversation in conversations:
                conversation.stop(reason, str(error))
            return None

    def _take(self, conversations: Sequence[Conversation], completion: Completion) -> None:
        """Note the replies to one request and give each to its attempt."""
        steps = list(_steps(completion, self.sampler.dialect.native))
        pairs = list(zip(conversations, steps, strict=True))
        self._note((one.rollout_id, len(one.steps), step) for one, step in pairs)
        for conversation, step in pairs:
            conversation.take(step)

    async def _act(self, conversation: Conversation, bench: Bench) -> None:
        """Execute what the last turn asked for, and tell what came of it."""
        step = conversation.steps[-1]
        effect = await bench.act(self._action(step))
        for image in effect.images:  # Its sync to disk is waited for in a thread.
            await asyncio.to_thread(self.store.put, image)
        step = self._acted(step, effect)
        self._note([(conversation.rollout_id, len(conversation.steps) - 1, step)])
        self._observe(conversation, step)

    def _observe(self, conversation: Conversation, step: Step) -> None:
        shown = step.turn.call.image_ids if step.turn.call else ()
        conversation.observe(step, [self.store.path(image_id) for image_id in shown])

    def _action(self, step: Step) -> Code | Call:
        action = self.sampler.dialect.parse(step.turn.text)
        assert isinstance(action, Code | Call), "other actions stop the conversation"
        return action

    def _acted(self, step: Step, effect: Effect) -> Step:
        """The step with what its action gave."""
        call = ToolCall(
            name=effect.name,
            arguments=effect.arguments,
            text=self.sampler.dialect.observation(effect.observed),
            stdout=effect.said,
            stderr=effect.observed.stderr,
            image_ids=tuple(identify(image).image_id for image in effect.images),
            error=effect.error,
            seconds=effect.seconds,
        )
        turn = replace(step.turn, call=call)
        return replace(step, turn=turn, ran=effect.ran, lost=effect.lost)

    def _note(self, steps: Iterable[tuple[str, int, Step]]) -> None:
        if self.journal is not None:
            self.journal.note(Entry(*step) for step in steps)


def _seen(step: Step) -> tuple[str, ...]:
    """What the model was shown: text and images."""
    call = step.turn.call
    return (call.text, *call.image_ids) if call else ()


def _neighbours(conversations: Sequence[Conversation]) -> Iterator[list[Conversation]]:
    """Runs of consecutive attempts, each of which one request can open."""
    run: list[Conversation] = []
    for conversation in conversations:
        if run and conversation.attempt != run[-1].attempt + 1:
            yield run
            run = []
        run.append(conversation)
    if run:
        yield run


def _steps(completion: Completion, native: bool) -> Iterator[Step]:
    """The replies to a request as steps of their attempts."""
    replies, asked = completion.replies, completion.prompt_tokens
    alone = completion.completion_tokens if len(replies) == 1 else 0
    shares = _shares(completion.completion_tokens, len(replies))
    for i, (reply, tokens) in enumerate(zip(replies, shares, strict=True)):
        # The prompt is charged once, to the first attempt, so that sums are what was paid.
        turn = Turn(_text(reply, native), None, reply.finish_reason, 0 if i else asked, tokens)
        yield Step(turn, asked, asked + alone)


def _text(reply: Reply, native: bool) -> str:
    """Without stop strings a reply ends, and begins, with whatever blanks the model likes."""
    return reply.text.strip() if native else reply.text


def _shares(total: int, parts: int) -> list[int]:
    """A total in whole parts; servers count the tokens of a request, not of each reply."""
    return [total // parts + (i < total % parts) for i in range(parts)]
