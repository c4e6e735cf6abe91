"""The wanted mix of trajectories: `[teach.mix]` of a recipe."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

PARTS = ("category", "tool_calls", "tool")
"""What shares can be stated by."""
_CALLS = re.compile(r"[1-9]\d*\+?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Shares of the trajectories that use tools, by up to three of their properties at once.

    Shares of one property sum to at most 1; what they leave is anything that is not named.
    """

    category: Mapping[str, float] = field(default_factory=dict)
    """By the sample's category, such as chart or document."""
    tool_calls: Mapping[str, float] = field(default_factory=dict)
    """By number of calls: "1", "2", or "3+" for three and more."""
    tool: Mapping[str, float] = field(default_factory=dict)
    """By name of the tool; of several in one trajectory in alphabetical order: "python+search"."""
    tolerance: float = 0.02
    """A share is met that is at most this far from the wanted one."""
    keep: float = 0.5
    """At least this share of the trajectories stays. Shares that would cost more are missed as
    little as possible, and reported."""

    def __post_init__(self) -> None:
        for part in PARTS:
            _check(part, getattr(self, part))
        for calls in self.tool_calls:
            if not _CALLS.fullmatch(calls):
                raise ValueError(f'tool_calls: {calls!r} is no number of calls such as "2" or "3+"')
        if not 0 < self.tolerance < 1 or not 0 <= self.keep <= 1:
            raise ValueError("tolerance must be above 0 and below 1, and keep a share of 0 to 1")

    def wanted(self) -> dict[tuple[str, str], float]:
        """The share of every named value, by property and value."""
        return {
            (part, value): share for part in PARTS for value, share in getattr(self, part).items()
        }


def _check(part: str, shares: Mapping[str, float]) -> None:
    for value, share in shares.items():
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"{part}: the share of {value!r} is {share!r}: write one of 0 to 1")
    total = math.fsum(shares.values())
    if total > 1 + 1e-9:
        raise ValueError(f"{part}: the shares sum to {total:g}: let them sum to at most 1")
