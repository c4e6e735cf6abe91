"""A recipe: everything that a run does, as frozen records. `recipe_file` reads one from TOML."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import filters
from curation.dialects import DIALECTS, Dialect, get_dialect
from curation.exporters.settings import ExportSettings
from curation.graders.assigned import Graders
from curation.graders.judgement import STRUCTURED
from curation.recipes.presets import Preset
from curation.rollouts.placebo import KINDS
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


def check_sampling(temperature: float, top_p: float) -> None:
    """ValueError for what no server samples with."""
    if temperature < 0 or not 0 < top_p <= 1:
        raise ValueError("temperature must be at least 0 and top_p in 0 < top_p <= 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An endpoint and how it is sampled; exactly one of url, urls, serve, embedded."""

    url: str | None = None
    urls: tuple[str, ...] = ()
    serve: str | None = None
    """A model path or hub id; a vLLM server is started for it on this machine."""
    serve_arguments: tuple[str, ...] = ()
    embedded: bool = False
    """The small demonstration model that ships with the package."""
    model: str | None = None
    """Name to ask for; by default the first that the endpoint serves."""
    api_key_env: str | None = None
    """Environment variable that holds the key: keys do not belong into recipes."""
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 512
    max_in_flight: int = 64
    """Requests at a time, each for all attempts of an arm; a wave of fewer counts as its share."""
    timeout: float = 120.0
    """Seconds for one try."""
    retries: int = 5
    """Further tries of a request that fails; more where the server fails at others too."""
    backoff: float = 0.5
    """Seconds before the first of them; doubles with each, four times."""
    patience: float = 180.0
    """Seconds without any answer after which the run is given up; what is done is kept."""
    min_pixels: int | None = None
    max_pixels: int | None = None
    """Pixel budget of an image, as the trainer's processor has it; a request asks vLLM for it.
    Null leaves it to the server."""

    def __post_init__(self) -> None:
        ways = [self.url is not None, bool(self.urls), self.serve is not None, self.embedded]
        if sum(ways) != 1:
            raise ValueError("write exactly one of url, urls, serve, embedded = true")
        check_sampling(self.temperature, self.top_p)
        if min(self.max_tokens, self.max_in_flight) < 1 or self.timeout <= 0:
            raise ValueError("max_tokens, max_in_flight and timeout must be positive")
        if min(self.retries, self.backoff, self.patience) < 0:
            raise ValueError("retries, backoff and patience must be at least 0")
        if not 1 <= (self.min_pixels or 1) <= (self.max_pixels or 2**62):
            raise ValueError("min_pixels and max_pixels must be positive, the first the smaller")

    @property
    def request_fields(self) -> dict[str, Any]:
        """Fields of every request that only vLLM understands: the pixel budget."""
        pixels = {"min_pixels": self.min_pixels, "max_pixels": self.max_pixels}
        budget = {name: value for name, value in pixels.items() if value is not None}
        return {"mm_processor_kwargs": budget} if budget else {}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """URLs of servers that already run."""
        return self.urls or ((self.url,) if self.url else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeModel(Model):
    """A model that is asked where the rules of a grader cannot decide, and how its word counts."""

    temperature: float = 0.7
    attempts: int = 3
    """Judgements of one answer."""
    agreement: float = 1.0
    """Share of them that a verdict needs; with less the answer stays unscored."""
    max_chars: int = 300
    """Longer answers are not judged, as in DeepEyesV2's reward (`deepeyesv2.py`)."""
    structured: bool = True
    """Ask for replies under a JSON schema (`response_format`); false for servers that refuse it."""

    @property
    def request_fields(self) -> dict[str, Any]:
        """No pixel budget, since a judge sees no image; the schema of a reply."""
        return STRUCTURED if self.structured else {}

    def __post_init__(self) -> None:
        Model.__post_init__(self)
        if self.attempts < 1 or self.max_chars < 1:
            raise ValueError("attempts and max_chars must be at least 1")
        if not 0.5 < self.agreement <= 1:
            raise ValueError(f"agreement is {self.agreement}: write a share above 0.5, at most 1")
        if self.temperature == 0 and self.attempts > 2:
            raise ValueError(
                f"attempts is {self.attempts}, but at temperature 0 all are the same: write"
                " attempts = 2, one for each order, or a temperature above 0"
            )


MAX_IMAGES = 12
"""Mini-o3 (arXiv 2509.07969) trains with at most so many in a conversation."""
MAX_RESPONSE_TOKENS = 20480
"""DeepEyes' `max_response_length`: replies and observations together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Attempts at every sample in one way."""

    n: int = 8
    dialect: str = "direct"
    max_turns: int = 6
    max_images: int = MAX_IMAGES
    """In a conversation, the question's among them."""
    max_response_tokens: int = MAX_RESPONSE_TOKENS
    """Replies and observations together, as the server counts them."""
    max_tokens: int | None = None
    """Overrides the model's, a turn; the next two override it too."""
    temperature: float | None = None
    top_p: float | None = None
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
    """One of `curation.rollouts.placebo.KINDS`."""

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
    dialect: str = "deepeyes-v2"
    max_turns: int = 6
    max_images: int = MAX_IMAGES
    max_response_tokens: int = MAX_RESPONSE_TOKENS
    max_tokens: int | None = None
    rl_share: float = 0.0
    """Share of the RL samples that the teacher solves too, besides every cold-start sample."""
    per_sample: int = 1
    """The most trajectories of one sample."""
    choose: str = "shortest"
    """`shortest` first, or `diverse`: one of every number of tool calls before a second one."""
    min_tool_calls: int = 1
    direct_share: float = 0.0
    """Share of trajectories in which the teacher answered without a tool, against blind calls."""
    error_turns: str = "drop"
    """`keep`: a failed action may stand in a trajectory when a later one went well."""
    require: tuple[str, ...] = ()
    """Checks that are otherwise only recorded: trainer_replay, exact."""
    support: int = 0
    """How often a verified rollout is asked for its answer again without what it observed."""
    max_support_right: float = 0.5
    """The largest share of these that may be right: above it the tools did not matter."""
    pairs: int = 0
    """The most preference pairs of one sample: a trajectory of it against a rejected rollout."""

    def __post_init__(self) -> None:
        if self.choose not in ("shortest", "diverse"):
            raise ValueError(f"choose is {self.choose!r}: write shortest or diverse")
        if not 0 <= self.direct_share < 1:
            raise ValueError(f"direct_share is {self.direct_share}: write 0 <= share < 1")
        if self.error_turns not in ERROR_TURNS:
            raise ValueError(f"error_turns is {self.error_turns!r}: write drop or keep")
        for name in self.require:
            if name not in FLAGS:
                raise ValueError(f"require: {name!r} is none of {', '.join(FLAGS)}")
        if min(self.support, self.pairs) < 0 or not 0 <= self.max_support_right <= 1:
            raise ValueError(
                "support and pairs must be at least 0, and max_support_right a share of 0 to 1"
            )
        if min(self.attempts, self.max_turns, self.per_sample) < 1 or self.min_tool_calls < 0:
            raise ValueError("attempts, max_turns and per_sample must be at least 1")
        tools = [name for name in DIALECTS if name != "direct"]
        if self.dialect not in tools:
            raise ValueError(
                f"dialect is {self.dialect!r}: choose one with tools: {', '.join(tools)}"
            )
        if not 0 <= self.rl_share <= 1:
            raise ValueError(f"rl_share is {self.rl_share}: write a share from 0 to 1")

    @property
    def arm(self) -> Arm:
        return Arm(
            n=self.attempts,
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
    sources: tuple[Source, ...]
    filters: tuple[Filter, ...]
    policy: Model
    teacher: Model
    arms: Arms
    preset: Preset
    teach: Teach | None
    tools: tuple[Tool, ...]
    """Beside what a dialect's environment has by itself."""
    sandbox: SandboxSettings
    exports: tuple[Export, ...]
    judge: JudgeModel | None = None
    graders: Graders = field(default_factory=lambda: Graders({}))

    def dialect(self, name: str) -> Dialect:
        """A dialect whose prompt offers the recipe's tools."""
        return get_dialect(name, (json.dumps(tool.schema) for tool in self.tools))
