"""What models did: rollouts turn by turn, their scores and the benefit of tools."""

from __future__ import annotations

from dataclasses import dataclass

ARMS = ("direct", "oracle_crop", "tools", "teacher")
STOP_REASONS = (
    "answered",
    "max_turns",
    "length",
    "parse_error",
    "tool_lost",
    "model_error",
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One executed action of a turn and what came back."""

    name: str
    """python, or the name of the called tool."""
    arguments: str
    """The code for python, JSON text otherwise."""
    text: str
    """The observation's text exactly as the model saw it."""
    stdout: str
    stderr: str
    image_ids: tuple[str, ...]
    """Images of the observation, stored in `images/` like any other."""
    error: str | None
    """A complaint told to the model; null when the call went well."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of the model and, unless it was the last, the action it asked for."""

    text: str
    call: ToolCall | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Rollout:
    """One attempt of a model at a sample."""

    rollout_id: str
    """SHA-256 over sample, arm, settings mark and attempt."""
    sample_id: str
    arm: str
    """One of ARMS."""
    attempt: int
    model: str
    dialect: str
    seed: int
    turns: tuple[Turn, ...]
    prediction: str | None
    """Text of the final answer; null when none was given."""
    stop_reason: str
    """One of STOP_REASONS."""
    error: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Score:
    """A grader's decision about one rollout."""

    rollout_id: str
    sample_id: str
    grader: str
    value: float | None
    """0 to 1; null when the grader abstained: unscored is neither right nor wrong."""
    extracted: str | None
    explanation: str


@dataclass(frozen=True, slots=True)
class Benefit:
    """Counts per sample; every rule on difficulty and tool benefit is a function of them."""

    sample_id: str
    direct_attempts: int
    direct_right: int
    direct_unscored: int
    tools_attempts: int
    tools_right: int
    tools_unscored: int
    oracle_attempts: int
    oracle_right: int
    oracle_unscored: int
    direct_pass_rate: float | None
    """Right over scored attempts; null when none was scored."""
    tools_pass_rate: float | None
    oracle_pass_rate: float | None
    tool_benefit: float | None
    """Pass rate with tools less pass rate without; null unless both are known."""
