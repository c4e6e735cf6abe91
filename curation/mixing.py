"""How many trajectories of each kind a stated mix takes: as many as its shares allow.

Trajectories that count to the same shares are alike to a mix, so it is an integer programme over
few groups however many trajectories there are: keep the most of them such that no share is further
from the wanted one than the tolerance, and spread what is left out over the groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from curation.recipes.mix import Mix

_STEP = 0.005
"""How finely the tolerance is searched that shares need which cannot be met."""

Numbers = NDArray[np.float64]


class Kind(NamedTuple):
    """What a mix can tell trajectories apart by."""

    category: str
    tool_calls: int
    tool: str
    """Names of its tools in alphabetical order, joined by `+`."""

    def has(self, part: str, value: str) -> bool:
        """Whether it counts to a named value of a property."""
        own = getattr(self, part)
        if part == "tool_calls" and value.endswith("+"):
            return bool(own >= int(value[:-1]))
        return str(own) == value


class Quota(NamedTuple):
    """How many trajectories are kept of kinds that are alike to the mix."""

    kinds: tuple[Kind, ...]
    kept: int


def quotas(found: Mapping[Kind, int], mix: Mix) -> list[Quota]:
    """What to keep of the trajectories found.

    Where the shares cannot be met with `mix.keep` of the trajectories, the tolerance is widened
    just as far as it takes.
    """
    wanted = mix.wanted()
    groups: dict[tuple[bool, ...], list[Kind]] = {}
    for kind in sorted(found):
        groups.setdefault(tuple(kind.has(*named) for named in wanted), []).append(kind)
    if not groups:
        return []
    most = np.array([sum(found[kind] for kind in kinds) for kinds in groups.values()], dtype=float)
    member = np.array(list(groups), dtype=float).T.reshape(len(wanted), len(groups))
    shares = np.array(list(wanted.values()))
    least = max(math.ceil(mix.keep * most.sum()), 1)
    kept = most
    for tolerance in np.arange(mix.tolerance, 1 + _STEP, _STEP):
        bounds = _bounds(member, shares, float(tolerance))
        if (total := _total(most, bounds, least)) is not None:
            kept = _spread(most, bounds, total)
            break
    return [
        Quota(tuple(kinds), round(count))
        for kinds, count in zip(groups.values(), kept, strict=True)
    ]


def _bounds(member: Numbers, shares: Numbers, tolerance: float) -> Numbers:
    """Rows whose product with the counts must not be above 0.

    Of n kept in all and m of them counted to a share s, |m - s n| <= tolerance n. `member` is 1
    where a group (column) counts to a share (row).
    """
    above = member - (shares + tolerance)[:, None]
    below = (shares - tolerance)[:, None] - member
    return np.vstack([above, below])


def _total(most: Numbers, bounds: Numbers, least: int) -> int | None:
    """How many can be kept at most; None where the bounds allow less than `least`."""
    ones = np.ones(len(most))
    found = milp(
        -ones,
        integrality=ones,
        bounds=Bounds(0, most),
        constraints=[
            LinearConstraint(bounds, ub=np.zeros(len(bounds))),
            LinearConstraint(ones, lb=least),
        ],
    )
    return round(-found.fun) if found.success else None


def _spread(most: Numbers, bounds: Numbers, total: int) -> Numbers:
    """Counts of that total whose smallest kept part of a group is as large as can be."""
    groups = len(most)
    part = np.vstack([np.diag(-np.ones(groups)), most]).T  # A last variable: the smallest part.
    found = milp(
        np.append(np.zeros(groups), -1.0),
        integrality=np.append(np.ones(groups), 0.0),
        bounds=Bounds(0, np.append(most, 1.0)),
        constraints=[
            LinearConstraint(np.pad(bounds, ((0, 0), (0, 1))), ub=np.zeros(len(bounds))),
            LinearConstraint(np.append(np.ones(groups), 0.0), lb=total, ub=total),
            LinearConstraint(part, ub=np.zeros(groups)),
        ],
    )
    counts: Numbers = found.x[:groups]
    return counts


class Share(NamedTuple):
    """What became of a part of the trajectories: a line of the report on a mix."""

    part: str
    """kind, dialect, category, tool_calls or tool."""
    value: str
    wanted: float | None
    """Null where the recipe states no share."""
    share: float
    """Of all trajectories for kind and dialect, else of those that use tools."""
    rows: int
    of: int
    """Verified rollouts with this value, kept or not."""
    met: bool

    def cells(self) -> tuple[str, ...]:
        """A line of a table under HEADER."""
        wanted = "" if self.wanted is None else f"{self.wanted:.1%}"
        said = "" if self.wanted is None else "yes" if self.met else "no"
        share, rows, found = f"{self.share:.1%}", f"{self.rows:,}", f"{self.of:,}"
        return (self.part.replace("_", " "), self.value, wanted, share, rows, found, said)


HEADER = ("by", "value", "wanted", "came out", "rows", "verified", "met")


def missed(shares: Sequence[Share]) -> list[str]:
    """A sentence for every share that could not be met."""
    return [
        f"the mix misses {each.part} {each.value}: {each.share:.1%} where {each.wanted:.1%} was"
        f" wanted, {each.rows:,} of {each.of:,} verified rollouts with it"
        for each in shares
        if each.wanted is not None and not each.met
    ]
