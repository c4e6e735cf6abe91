"""What one stage asked of one model, as figures that add up over clients, sessions and stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Sums; what is a rate is worked out from them."""

    sent: int = 0
    """Tries that went out."""
    requests: int = 0
    """Answered ones."""
    retries: int = 0
    failures: int = 0
    """Requests that were given up."""
    faults: Mapping[str, float] = field(default_factory=dict)
    """Failed tries by kind (`curation.models.wire.Fault`)."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    request_seconds: float = 0.0
    """Over answered requests, which overlap."""
    encoding_seconds: float = 0.0
    """In which requests were built here: images read and encoded, JSON written."""
    open_seconds: float = 0.0
    """In which the stage could have asked."""
    busy_seconds: float = 0.0
    """In which at least one request was with a server."""
    gpu_seconds: float = 0.0
    """Busy seconds times the GPUs that serve the model."""
    money: float = 0.0
    """At the recipe's prices."""
    engine: Mapping[str, float] = field(default_factory=dict)
    """What the servers told meanwhile, see `curation.telemetry.engine`; they count for everybody
    who asks them."""

    @classmethod
    def read(cls, figures: Mapping[str, Any]) -> Self:
        """From `told`, or from what another version told."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in figures.items() if name in names})

    def __add__(self, other: Traffic) -> Traffic:
        return self._with(other, 1)

    def __sub__(self, other: Traffic) -> Traffic:
        return self._with(other, -1)

    def _with(self, other: Traffic, sign: int) -> Traffic:
        names = [field.name for field in fields(self)]
        return Traffic(**{n: _sum(getattr(self, n), getattr(other, n), sign) for n in names})

    @property
    def idle_seconds(self) -> float:
        """In which the servers waited for this stage."""
        return max(0.0, self.open_seconds - self.busy_seconds)

    @property
    def tokens_a_second(self) -> float:
        """Tokens of replies over the stage's wall time."""
        return _share(self.completion_tokens, self.open_seconds)

    def told(self) -> dict[str, Any]:
        """All figures, and what follows from them; null where the servers do not tell."""
        return {
            **{name: _rounded(value) for name, value in asdict(self).items()},
            "idle_seconds": round(self.idle_seconds, 3),
            "tokens_a_second": round(self.tokens_a_second, 1),
            **{name: self._of_engine(*parts) for name, parts in _FOLLOWING.items()},
        }

    def _of_engine(self, part: str, whole: str) -> float | None:
        by = self.engine.get(whole)
        return round(self.engine.get(part, 0.0) / by, 4) if by else None


_FOLLOWING = {
    "prefix_cache_hit_rate": ("prefix_cache_hits", "prefix_cache_queries"),
    "image_cache_hit_rate": ("image_cache_hits", "image_cache_queries"),
    "seconds_preparing": ("preparing_seconds", "replies"),
    "seconds_queued": ("queue_seconds", "replies"),
    "seconds_prefilling": ("prefill_seconds", "replies"),
    "seconds_decoding": ("decode_seconds", "replies"),
    "mean_running": ("running", "looks"),
    "mean_waiting": ("waiting", "looks"),
}
"""What a person wants to know of an engine: the first sum over the second. Seconds are of a reply;
preparing is the time before the engine's own queue: images, tokens, and the way there."""


def total(parts: Iterable[Traffic]) -> Traffic:
    """The sum of any number of parts."""
    return sum(parts, Traffic())


def _sum(one: Any, other: Any, sign: int) -> Any:
    if isinstance(one, Mapping):
        return {key: one.get(key, 0) + sign * other.get(key, 0) for key in {**one, **other}}
    return one + sign * other


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in sorted(value.items())}
    return round(value, 6) if isinstance(value, float) else value
