"""A recipe: everything that a run does, as frozen records. `recipe_file` reads one from TOML."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import filters
from curation.dialects import DIALECTS, Dialect, get_dialect
from curation.presets import Preset
from curation.sandbox import SandboxSettings
from curation.tools import Tool


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
    timeout: float = 120.0

    def __post_init__(self) -> None:
        ways = [self.url is not None, bool(self.urls), self.serve is not None, self.embedded]
        if sum(ways) != 1:
            raise ValueError("write exactly one of url, urls, serve, embedded = true")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError("temperature must be at least 0 and top_p in 0 < top_p <= 1")
        if min(self.max_tokens, self.max_in_flight) < 1 or self.timeout <= 0:
            raise ValueError("max_tokens, max_in_flight and timeout must be positive")

    @property
    def endpoints(self) -> tuple[str, ...]:
        """URLs of servers that already run."""
        return self.urls or ((self.url,) if self.url else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Attempts at every sample in one way."""

    n: int = 8
    dialect: str = "direct"
    max_turns: int = 6
    max_tokens: int | None = None
    """Overrides the model's, a turn."""
    scope: str = "undecided"
    """`undecided`: samples that the direct attempts do not drop; `all`: every screened sample."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(
                f"n is {self.n}: an arm needs at least 1 attempt; leave it out instead"
            )
        if self.dialect not in DIALECTS:
            raise ValueError(f"no dialect {self.dialect!r}: choose one of {', '.join(DIALECTS)}")
        if self.max_turns < 1 or (self.max_tokens is not None and self.max_tokens < 1):
            raise ValueError("max_turns and max_tokens must be positive")
        if self.scope not in ("undecided", "all"):
            raise ValueError(f"scope is {self.scope!r}: write undecided or all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """Which arms are run; an arm that is left out is not."""

    direct: Arm
    oracle_crop: Arm | None = None
    tools: Arm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Teach:
    """How a teacher's trajectories are made and chosen."""

    attempts: int = 4
    dialect: str = "deepeyes-v2"
    max_turns: int = 6
    max_tokens: int | None = None
    rl_share: float = 0.0
    """Share of the RL samples that the teacher solves too, besides every cold-start sample."""
    per_sample: int = 1
    """The most trajectories of one sample, shortest first."""
    min_tool_calls: int = 1

    def __post_init__(self) -> None:
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
            max_tokens=self.max_tokens,
            scope="all",
        )


@dataclass(frozen=True, slots=True)
class Export:
    """A target and its settings."""

    target: str
    settings: Mapping[str, Any]


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

    def dialect(self, name: str) -> Dialect:
        """A dialect whose prompt offers the recipe's tools."""
        return get_dialect(name, (json.dumps(tool.schema) for tool in self.tools))


def attempts(arm: Arm | None) -> int:
    """How often an arm is tried; 0 when it is not run."""
    return arm.n if arm else 0
