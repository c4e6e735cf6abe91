"""Verified teacher rollouts in the form that SFT trainers read."""

from __future__ import annotations

from dataclasses import dataclass


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
