"""Verified teacher rollouts in the form that SFT trainers read."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.rollout import Author


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `<image>` stands for the next of the trajectory's images."""

    role: str
    """system, user or assistant; observations are user turns."""
    content: str


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A conversation with tool calls and observations, from the system prompt to the answer."""

    trajectory_id: str
    sample_id: str
    rollout_id: str
    dialect: str
    messages: tuple[Message, ...]
    image_ids: tuple[str, ...]
    """In the order of their placeholders."""
    tool_calls: int
    completion_tokens: int
    written_by: Author | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of one check of one teacher rollout."""

    rollout_id: str
    sample_id: str
    check: str
    passed: bool | None
    """Null when the check does not apply."""
    evidence: str
    """What was seen, in one sentence."""
    turn: int | None = None
    """The turn in which the fault lies, from 1; null where it lies in none alone."""


@dataclass(frozen=True, slots=True)
class Support:
    """How often a rollout's answer was right when it was asked for without what was observed."""

    rollout_id: str
    sample_id: str
    blank_attempts: int
    """Scored answers to empty texts and white pictures."""
    blank_right: int
    swapped_attempts: int
    """Scored answers to what another sample's rollout observed; 0 where there was none."""
    swapped_right: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a verified rollout became a trajectory."""

    rollout_id: str
    sample_id: str
    dialect: str
    kind: str
    """tools, direct (an image and no tool) or text (no image)."""
    category: str
    tool_calls: int
    tool: str
    """Names of its tools in alphabetical order, joined by `+`; empty where it used none."""
    dropped_by: str | None
    """Why it is left out; null where it is a trajectory."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A verified and a rejected rollout of one sample, from the turn where they part.

    Where the fault lies in that very turn, both sides are this one turn: a preference about a step.
    """

    pair_id: str
    """SHA-256 over both rollout ids and the numbers of turns of the sides."""
    sample_id: str
    dialect: str
    chosen_rollout: str
    rejected_rollout: str
    prompt: tuple[Message, ...]
    """The opening and the turns that both begin with."""
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    prompt_images: tuple[str, ...]
    """Images in the order of their placeholders, like the two after it."""
    chosen_images: tuple[str, ...]
    rejected_images: tuple[str, ...]
    rejected_by: tuple[str, ...]
    """The checks that speak against the rejected one."""
    fault_turn: int | None
    """The first turn of the rejected one in which a check found a fault, from 1."""
    step: bool
    """Whether both sides are one turn of the model."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """All of its images: the prompt's, then those of each side."""
        return (*self.prompt_images, *self.chosen_images, *self.rejected_images)
