"""A recipe: everything that a run does, as frozen records. `recipe_file` reads one from TOML."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import filters
from curation.budget import RunCaps
from curation.dialects import DIALECTS, Dialect, get_dialect
from curation.exporters.settings import ExportSettings
from curation.graders.assigned import Graders
from curation.recipes.mix import Mix
from curation.recipes.models import JudgeModel, Model, Teacher, check_sampling
from curation.recipes.presets import Preset
from curation.rollouts.placebo import KINDS
from curation.rollouts.plans import PLANS
from curation.sandbox import SandboxSettings
from curation.tools import Tool
from curation.verification import ERROR_TURNS, FLAGS


@dataclass(frozen=True, slots=True)
class Source:
    """Where samples come from."""

    name: str
    use: str
    function: Callable[..., Any]
    settings: Mapping[str, Any]
    limit: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """A function over columns; a sample is kept where every filter says so."""

    name: str
    """What verdicts call it; the same function can be used twice under two names."""
    use: str
    keep: filters.Filter


MAX_IMAGES = 12
"""Mini-o3 (arXiv 2509.07969) trains with at most so many in a conversation."""
MAX_RESPONSE_TOKENS = 20480
"""DeepEyes' `max_response_length`: replies and observations together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Attempts at every sample in one way."""

    n: int = 8
    """Attempts at a sample."""
    dialect: str = "direct"
    """The grammar of tool calls and the prompt that goes with it."""
    max_turns: int = 6
    """Replies of one attempt, each but the last a tool call."""
    max_images: int = MAX_IMAGES
    """In a conversation, the question's among them."""
    max_response_tokens: int = MAX_RESPONSE_TOKENS
    """Replies and observations together, as the server counts them."""
    max_tokens: int | None = None
    """The most that one turn may have; by default the model's."""
    temperature: float | None = None
    """By default the model's."""
    top_p: float | None = None
    """By default the model's."""
    scope: str = "undecided"
    """`undecided`: samples that the direct attempts do not drop; `selected`: those of them that
    the preset would send to RL; `all`: every screened sample."""
    curtail: bool = True
    """End the attempts at a sample when no further one can change its verdict; with the preset
    `screen`, when they settle it. It costs width of the intervals, and only `screen` a verdict,
    within its error."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(
                f"n is {self.n}: an arm needs at least 1 attempt; leave it out instead"
            )
        if self.dialect not in DIALECTS:
            raise ValueError(f"no dialect {self.dialect!r}: choose one of {', '.join(DIALECTS)}")
        if min(self.max_turns, self.max_images, self.max_response_tokens, self.max_tokens or 1) < 1:
            raise ValueError(
                "max_turns, max_images, max_response_tokens and max_tokens must be positive"
            )
        check_sampling(
            1.0 if self.temperature is None else self.temperature,
            1.0 if self.top_p is None else self.top_p,
        )
        if self.scope not in SCOPES:
            raise ValueError(f"scope is {self.scope!r}: write {' or '.join(SCOPES)}")


SCOPES = ("undecided", "selected", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebo(Arm):
    """Attempts whose tools run for real, but the model sees something else instead."""

    kind: str = "blank"
    """What the model sees instead: `blank`, `original`, `random_crop` or `empty`."""

    def __post_init__(self) -> None:
        Arm.__post_init__(self)
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}: choose one of {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """Which arms are run; an arm that is left out is not.

    What each one shows to the model is in `curation.rollouts.arms`.
    """

    direct: Arm
    text_only: Arm | None = None
    oracle_crop: Arm | None = None
    tools: Arm | None = None
    schema_only: Arm | None = None
    placebo: Placebo | None = None
    confirm_direct: Arm | None = None
    confirm_tools: Arm | None = None
    """These two draw as `direct` and `tools` do, with seeds of their own."""

    def run(self) -> dict[str, Arm]:
        """The arms that are run, in the order above."""
        arms = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: arm for name, arm in arms.items() if arm is not None}

    def planned(self) -> dict[str, int]:
        """Attempts at a sample by arm; 0 where an arm is not run."""
        run = self.run()
        return {field.name: run[field.name].n if field.name in run else 0 for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Teach:
    """How a teacher's trajectories are made and chosen."""

    attempts: int = 4
    """Rollouts of a sample."""
    verified: int = 0
    """End the attempts at a sample with this many that could become trajectories (rejection
    sampling): what is kept is what all attempts would have kept first. 0 makes all of them."""
    guided: int = 0
    """Further attempts at a sample whose source knows the evidence, in which a plan chooses the
    first actions and the teacher writes every word (guided synthesis)."""
    plans: tuple[str, ...] = tuple(PLANS)
    """What guided attempts take turns with; a plan that does not suit a sample is passed over."""
    dialect: str = "deepeyes-v2"
    """The grammar of tool calls that trajectories are written in."""
    max_turns: int = 6
    """Replies of one rollout, each but the last a tool call."""
    max_images: int = MAX_IMAGES
    """In a conversation, the question's among them."""
    max_response_tokens: int = MAX_RESPONSE_TOKENS
    """Replies and observations together, as the server counts them."""
    max_tokens: int | None = None
    """The most that one turn may have; by default the teacher's."""
    rl_share: float = 0.0
    """Share of the RL samples that the teacher solves too, besides every cold-start sample."""
    per_sample: int = 1
    """The most trajectories of one sample in one dialect."""
    choose: str = "shortest"
    """`shortest` first, or `diverse`: one of every number of tool calls before a second one."""
    min_tool_calls: int = 1
    """The fewest of a trajectory."""
    direct_share: float = 0.0
    """Share of trajectories in which the teacher answered without a tool, against blind calls."""
    text_share: float = 0.0
    """Share of trajectories that are worked solutions without an image, from sources with a column
    `solution`; long chains of thought keep a model from forgetting how to reason in words."""
    mix: Mix | None = None
    """Shares of the trajectories that use tools; null takes all of them."""
    error_turns: str = "drop"
    """`keep`: a failed action may stand in a trajectory when the last one went well; `mask`: its
    turn is then left out of the loss, like the first step of the plans `narrow` and `correct`.
    Targets that cannot mask a turn (all but ms-swift) leave such rows out."""
    require: tuple[str, ...] = ()
    """Checks that are otherwise only recorded: trainer_replay, exact."""
    support: int = 0
    """How often a verified rollout is asked for its answer again without what it observed."""
    max_support_right: float = 0.5
    """The largest share of these that may be right: above it the tools did not matter."""
    judge_thoughts: bool = False
    """Ask the judge whether every thought announces its action and the last one leads to the
    answer, of rollouts that all other checks let pass; with disagreement it is no trajectory."""
    pairs: int = 0
    """The most preference pairs of one sample: a trajectory of it against a rejected rollout."""

    def __post_init__(self) -> None:
        if self.choose not in ("shortest", "diverse"):
            raise ValueError(f"choose is {self.choose!r}: write shortest or diverse")
        if min(self.direct_share, self.text_share) < 0 or self.direct_share + self.text_share >= 1:
            raise ValueError(
                f"direct_share is {self.direct_share} and text_share {self.text_share}: write"
                " shares from 0 that sum to less than 1"
            )
        if self.error_turns not in ERROR_TURNS:
            raise ValueError(f"error_turns is {self.error_turns!r}: write {', '.join(ERROR_TURNS)}")
        for name in self.require:
            if name not in FLAGS:
                raise ValueError(f"require: {name!r} is none of {', '.join(FLAGS)}")
        if min(self.support, self.pairs) < 0 or not 0 <= self.max_support_right <= 1:
            raise ValueError(
                "support and pairs must be at least 0, and max_support_right a share of 0 to 1"
            )
        if min(self.attempts, self.max_turns, self.per_sample) < 1 or self.min_tool_calls < 0:
            raise ValueError("attempts, max_turns and per_sample must be at least 1")
        if self.guided < 0 or not 0 <= self.verified <= self.attempts:
            raise ValueError(
                "guided must be at least 0, and verified a number from 0 to that of the attempts"
            )
        if 0 < self.verified < self.per_sample:
            raise ValueError(
                f"verified = {self.verified} ends the attempts before there can be per_sample ="
                f" {self.per_sample} trajectories: raise it"
            )
        for name in self.plans:
            if name not in PLANS:
                raise ValueError(f"plans: {name!r} is none of {', '.join(PLANS)}")
        if self.guided and not self.plans:
            raise ValueError(f"plans is empty: name some of {', '.join(PLANS)}, or guided = 0")
        tools = [name for name in DIALECTS if name != "direct"]
        if self.dialect not in tools:
            raise ValueError(
                f"dialect is {self.dialect!r}: choose one with tools: {', '.join(tools)}"
            )
        if not 0 <= self.rl_share <= 1:
            raise ValueError(f"rl_share is {self.rl_share}: write a share from 0 to 1")

    def arm(self, name: str) -> Arm:
        """The arm `teacher` or `guided`."""
        return Arm(
            n=self.guided if name == "guided" else self.attempts,
            dialect=self.dialect,
            max_turns=self.max_turns,
            max_images=self.max_images,
            max_response_tokens=self.max_response_tokens,
            max_tokens=self.max_tokens,
            scope="all",
        )


@dataclass(frozen=True, slots=True)
class Export:
    """A target and its settings."""

    target: str
    settings: ExportSettings = field(default_factory=ExportSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that a run does."""

    name: str
    seed: int
    drop_duplicates: bool
    max_failed_share: float
    """A stage of whose rows a larger share fails is given up."""
    task_runner: str
    """Where stages that only compute do so."""
    sources: tuple[Source, ...]
    filters: tuple[Filter, ...]
    policy: Model
    teachers: tuple[Teacher, ...]
    """The policy itself where the recipe names none."""
    arms: Arms
    preset: Preset
    teach: Teach | None
    tools: tuple[Tool, ...]
    """Beside what a dialect's environment has by itself."""
    sandbox: SandboxSettings
    exports: tuple[Export, ...]
    judge: JudgeModel | None = None
    graders: Graders = field(default_factory=lambda: Graders({}))
    budget: RunCaps = field(default_factory=RunCaps)

    @property
    def models(self) -> dict[str, Model]:
        """Everybody who is asked, by the name that budgets have for them."""
        judge = {"judge": self.judge} if self.judge else {}
        return {"policy": self.policy, **judge, **{each.name: each for each in self.teachers}}

    def dialect(self, name: str) -> Dialect:
        """A dialect whose prompt offers the recipe's tools."""
        return get_dialect(name, (json.dumps(tool.schema) for tool in self.tools))
