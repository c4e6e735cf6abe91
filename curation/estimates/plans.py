"""Where a rule lets a sample stop, and what follows exactly from that.

Attempts at one sample are independent with one pass rate p, so every order of r right and w wrong
attempts is equally likely, p^r (1 - p)^w. A rule that stops early allows only some of the orders;
all that has to be known of it is how many. Source of the method: Girshick, Mosteller and Savage,
"Unbiased estimates for certain binomial sampling problems with applications" (Annals of
Mathematical Statistics 17, 1946).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from curation.estimates.rules import Rule, Tally


@dataclass(frozen=True, slots=True)
class Point:
    """A number of right and wrong attempts that can be come by under a rule."""

    right: int
    wrong: int
    paths: int
    """Orders of attempts that lead here without stopping before."""
    right_first: int
    """Those of them whose first attempt is right."""
    final: bool
    """The rule stops here."""

    def probability(self, rate: float) -> float:
        """That a sample of this pass rate comes by here."""
        return float(self.paths * rate**self.right * (1 - rate) ** self.wrong)


@lru_cache(maxsize=64)
def points(rule: Rule) -> dict[tuple[int, int], Point]:
    """All points of a rule by right and wrong attempts; nothing is unscored."""
    paths, found = {(0, 0): (1, 0)}, {}
    while paths:
        reached: dict[tuple[int, int], tuple[int, int]] = {}
        for (right, wrong), (ways, first) in paths.items():
            final = rule.least(Tally(right, wrong)) == 0
            found[right, wrong] = Point(right, wrong, ways, first, final)
            if final:
                continue
            for step in (1, 0):
                target = (right + step, wrong + 1 - step)
                opening = step if right + wrong == 0 else first
                old = reached.get(target, (0, 0))
                reached[target] = (old[0] + ways, old[1] + opening)
        paths = reached
    return found


def stops(rule: Rule) -> list[Point]:
    """Where a sample can end; the probabilities sum to 1 for every pass rate."""
    return [point for point in points(rule).values() if point.final]


def kept_share(rule: Rule, rate: float) -> float:
    """The share of samples with this pass rate that the rule keeps."""
    return sum(p.probability(rate) for p in stops(rule) if rule.verdict(Tally(p.right, p.wrong)))


def attempts_drawn(rule: Rule, rate: float) -> float:
    """Attempts that the rule draws on average at samples with this pass rate."""
    return sum(p.probability(rate) * (p.right + p.wrong) for p in stops(rule))


def unbiased_rate(tally: Tally, rule: Rule | None = None) -> float | None:
    """A pass rate whose mean over samples is the mean of their true ones, whatever they are.

    The right share of attempts that stopped early is not: a sample that stops at its first right
    attempt after many wrong ones was not let go on. This is the share of the allowed orders of
    attempts that open with a right one (Girshick, Mosteller and Savage 1946): the first
    attempt is always drawn, and this is its expectation given how the sample ended. For averages
    only: for the one sample it may be an odd number, such as 1 after a wrong attempt;
    `curation.estimates.intervals.pass_rate` is for that.

    Args:
        tally: unscored attempts are left out, as if they were right as often as the others.
        rule: what the attempts were drawn by, one at a time or in waves of `least`; None for a
            full draw, where this is the right share.

    Returns:
        None where nothing is scored, or where the rule would have stopped before this tally.
    """
    if tally.right + tally.wrong == 0:
        return None
    if rule is None:
        return tally.right / (tally.right + tally.wrong)
    point = points(rule).get((tally.right, tally.wrong))
    return None if point is None else point.right_first / point.paths
