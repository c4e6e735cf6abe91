"""How many trajectories of each kind a stated mix takes: as many as its shares allow.

Trajectories of one kind, that is of one category, number of calls and set of tools, are alike to a
mix, so it is an integer programme over few kinds however many trajectories there are: keep the most
of them such that no share is further from the wanted one than the tolerance.
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


def quotas(found: Mapping[Kind, int], mix: Mix) -> dict[Kind, int]:
    """How many of each kind are kept.

    Where the shares cannot be met with `mix.keep` of the trajectories, the tolerance is widened
    just as far as it takes.
    """
    kinds, wanted = sorted(found), mix.wanted()
    if not kinds or not wanted:
        return dict(found)
    most = np.array([found[kind] for kind in kinds])
    least = math.ceil(mix.keep * int(most.sum()))
    member = np.array([[float(kind.has(*named)) for kind in kinds] for named in wanted])
    shares = np.array(list(wanted.values()))
    counts = None
    for tolerance in np.arange(mix.tolerance, 1 + _STEP, _STEP):
        counts = _most(most, max(least, 1), member, shares, min(float(tolerance), 1.0))
        if counts is not None:
            break
    assert counts is not None, "with a tolerance of 1 everything may stay"
    return {kind: int(count) for kind, count in zip(kinds, counts, strict=True)}


def _most(
    most: NDArray[np.int64],
    least: int,
    member: NDArray[np.float64],
    shares: NDArray[np.float64],
    tolerance: float,
) -> NDArray[np.int64] | None:
    """The largest counts, kind by kind, within a tolerance; None where there are none.

    member: (shares, kinds), 1 where a kind counts to the share. Of n kept in all and m of them
    counted to a share s, |m - s n| <= tolerance n.
    """
    above = member - (shares + tolerance)[:, None]
    below = (shares - tolerance)[:, None] - member
    found = milp(
        c=-np.ones(len(most)),
        integrality=np.ones(len(most)),
        bounds=Bounds(0, most),
        constraints=[
            LinearConstraint(np.vstack([above, below]), ub=1e-9),
            LinearConstraint(np.ones((1, len(most))), lb=least),
        ],
    )
    return np.rint(found.x).astype(np.int64) if found.success else None


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
