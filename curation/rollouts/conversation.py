"""An attempt under way: what was said and shown so far, and the rules by which it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curation.dialects import Answer, Fault
from curation.dialects.base import IMAGE
from curation.models import ImagePart
from curation.rollouts.journal import Step
from curation.rollouts.sampler import Sampler, sample_seed
from schemas import Author, Box, Message, Rollout

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
    speakers: Mapping[int, str] = field(default_factory=dict)
    """Attempt to the name of the teacher that makes it, where several do."""
    evidence: tuple[Box, ...] = ()
    metadata: str = "{}"
    """What the source says of the sample, as JSON; the last two are for plans."""


@dataclass(slots=True)
class Conversation:
    """An attempt between two turns; its whole state follows from its steps."""

    sampler: Sampler
    unit: Unit
    attempt: int
    messages: list[Message] = field(init=False)
    asked: str = field(init=False)
    """Text of the user's turn; it tells how to answer, and so would pass for an answer itself."""
    images: list[ImagePart] = field(init=False)
    steps: list[Step] = field(init=False)
    prediction: str | None = field(init=False)
    stop_reason: str | None = field(init=False)
    """Null while it goes on."""
    error: str | None = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget everything but the question."""
        self.images = [*self.sampler.wording.images, *self.unit.images]
        self.messages = self.sampler.opening(self.unit.question, len(self.unit.images))
        self.asked = self.messages[-1].content.replace(IMAGE, "").strip()
        self.steps = []
        self.prediction = self.stop_reason = self.error = None

    @property
    def rollout_id(self) -> str:
        return self.unit.attempts[self.attempt]

    @property
    def seed(self) -> int:
        """Seed of the attempt, which its first turn has."""
        first = sample_seed(self.sampler.seed, self.sampler.arm, self.unit.sample_id)
        return first + self.attempt

    @property
    def turn_seed(self) -> int:
        """Seed of the next turn."""
        return (self.seed + _TURN_SEED * len(self.steps)) % 2**31

    @property
    def tokens(self) -> int:
        """Of everything up to the last reply; of an observation after it the server tells later."""
        return self.steps[-1].tokens

    def stop(self, reason: str, error: str | None = None) -> None:
        """End it; `reason` is one of `schemas.rollout.STOP_REASONS`."""
        self.stop_reason, self.error = reason, error

    def take(self, step: Step) -> None:
        """Add a reply, and stop unless it asks for an action that may follow."""
        self.steps.append(step)
        turn, sampler = step.turn, self.sampler
        match sampler.dialect.parse(turn.text):
            case _ if self.asked in turn.text:
                self.stop("parse_error", "echo")
            case Answer(text):
                self.prediction = text
                self.stop("answered")
            case _ if turn.finish_reason == "length":
                self.stop("length", f"cut off after {sampler.max_tokens} tokens")
            case Fault(reason):
                self.stop("parse_error", reason)
            case _ if IMAGE in turn.text:
                self.stop("parse_error", "image_placeholder")
            case _ if len(self.steps) >= sampler.max_turns:
                self.stop("max_turns")
            case _ if self.tokens - self.steps[0].prompt_tokens >= sampler.max_response_tokens:
                self.stop("max_response_tokens")

    def observe(self, step: Step, images: Sequence[Path]) -> None:
        """Replace the last step by itself with what its action gave, and show that."""
        call = step.turn.call
        assert call is not None, "what is observed is what a call gave"
        self.steps[-1] = step
        self.messages += [Message("assistant", step.turn.text), Message("user", call.text)]
        self.images += images
        shown = len(self.images) - len(self.sampler.wording.images)
        if step.lost:
            self.stop("tool_lost", call.error)
        elif shown > self.sampler.max_images:
            self.stop("max_images", f"{shown} images")

    def rollout(self, seconds: float, author: Author | None) -> Rollout:
        """The attempt as the row that it becomes."""
        return Rollout(
            rollout_id=self.rollout_id,
            sample_id=self.unit.sample_id,
            arm=self.sampler.arm,
            attempt=self.attempt,
            model=self.sampler.model,
            dialect=self.sampler.dialect.name,
            seed=self.seed,
            turns=tuple(step.turn for step in self.steps),
            prediction=self.prediction,
            stop_reason=self.stop_reason or "max_turns",
            error=self.error,
            seconds=seconds,
            written_by=author,
        )
