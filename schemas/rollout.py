"""What models did: rollouts turn by turn, their scores and the benefit of tools."""

from __future__ import annotations

from dataclasses import dataclass

ARMS = (
    "direct",
    "text_only",
    "oracle_crop",
    "tools",
    "schema_only",
    "placebo",
    "confirm_direct",
    "confirm_tools",
    "teacher",
    "guided",
    "solution",
)
"""Ways to try a sample; all but the last three measure it."""

TEACHING = ("teacher", "guided", "solution")
"""Arms whose rollouts may become trajectories: teachers', and what sources brought themselves."""

STOP_REASONS = (
    "answered",
    "max_turns",
    "max_images",
    "max_response_tokens",
    "context_full",
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
class Author:
    """Who wrote a rollout that may become a trajectory, and on what terms."""

    teacher: str
    """Its name in the recipe, or that of the source whose solution it is."""
    model: str
    endpoint: str
    """How it was reached: url, serve or embedded; source for a solution that came with a sample."""
    terms: str
    """License or terms of use of what it writes, as the recipe states them; empty where it
    does not."""
    plan: str | None = None
    """The plan of guided synthesis that chose the first actions; null where the model chose all."""


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
    written_by: Author | None = None
    """Null in arms that measure."""


@dataclass(frozen=True, slots=True)
class Score:
    """A grader's decision about one rollout."""

    rollout_id: str
    sample_id: str
    grader: str
    """Whose word it is: a grader's name, or judge."""
    value: float | None
    """0 to 1; null when the grader abstained: unscored is neither right nor wrong."""
    extracted: str | None
    explanation: str
    judgements: int = 0
    """How often a judge model was asked; 0 where rules decided."""
    agreement: float | None = None
    """Share of its judgements with the most frequent verdict; null where it was not asked."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the attempts at a sample in one arm: one row a sample and arm."""

    sample_id: str
    arm: str
    """One of ARMS that measure."""
    planned: int
    """Attempts that the recipe asks for."""
    drawn: int
    """Attempts made: fewer than planned where the verdict was settled early, or requests failed."""
    correct: int
    """The others are wrong or unscored; `right` is a word of SQL."""
    wrong: int
    unscored: int
    called: int
    """Attempts in which an action was executed; the next two are those of them with a score."""
    called_correct: int
    called_wrong: int


@dataclass(frozen=True, slots=True)
class Benefit:
    """How hard a sample is and what tools change, estimated from `counts`; the intervals are of
    95 %. Null is what was not measured."""

    sample_id: str
    direct_attempts: int
    direct_right: int
    direct_unscored: int
    tools_attempts: int
    tools_right: int
    tools_unscored: int
    direct_pass_rate: float | None
    """Right over scored attempts; null when none was scored."""
    direct_low: float | None
    direct_high: float | None
    tools_pass_rate: float | None
    tools_low: float | None
    tools_high: float | None
    tool_benefit: float | None
    """Pass rate with tools less pass rate without: of fresh attempts where `confirmed`, else of
    those that also chose the sample, which flatters it."""
    tool_benefit_low: float | None
    tool_benefit_high: float | None
    tool_gain: float | None
    """Probability that of two attempts only the one with tools is right."""
    tool_harm: float | None
    """Probability that only the one without is; benefit is gain less harm."""
    confirmed: bool
    placebo_margin: float | None
    """Pass rate with tools less that with a placebo."""
    placebo_margin_low: float | None
