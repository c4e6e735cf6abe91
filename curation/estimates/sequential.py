"""An opt-in statistical stop for screening very large pools: fewer attempts, a stated error rate.

A count rule asks how many of n attempts are right; this asks whether the pass rate is too low, too
high or in between, and stops as soon as the attempts say so. Each bound is Wald's sequential
probability ratio test ("Sequential tests of statistical hypotheses", Annals of Mathematical
Statistics 16, 1945), ended after n attempts by the likelier side. Wald's limits promise the error
only roughly and only without that end, so it is computed exactly for the rule as it stands, and a
rule that does not keep its promise is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from curation.estimates.plans import kept_share
from curation.estimates.rules import Tally

_NEVER = 1e-12
"""Stands for a rate of 0 in logarithms, as 1 less it stands for 1."""
_MOST = 512
"""Attempts up to which the exact error takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialRule:
    """Keep samples with pass rates from `lowest` to `highest`, drop those up to `hard` and from
    `easy`, each but for a share of `error`; in the gaps between, either is good enough.

    `hard = lowest = 0` leaves out the lower bound, `highest = easy = 1` the upper one.
    """

    final: ClassVar[bool] = False
    """Further attempts may turn a verdict; those after it are not drawn."""

    hard: float = 0.0
    lowest: float = 0.0
    highest: float
    easy: float
    error: float = 0.05
    n: int = 64
    """Attempts after which the likelier side wins."""
    name_low: str = "too_hard"
    name_high: str = "too_easy"

    def __post_init__(self) -> None:
        if not 1 <= self.n <= _MOST or not 0 < self.error < 0.5:
            raise ValueError(
                f"n = {self.n} and error = {self.error} are no sequential test: n lies between 1"
                f" and {_MOST}, and the error between 0 and 0.5"
            )
        ordered = 0 <= self.hard <= self.lowest <= self.highest <= self.easy <= 1
        gaps = (self.hard < self.lowest or not self.lowest) and (
            self.highest < self.easy or self.highest == 1
        )
        if not (ordered and gaps):
            raise ValueError(
                f"hard = {self.hard}, lowest = {self.lowest}, highest = {self.highest} and easy ="
                f" {self.easy} contradict: write 0 <= hard < lowest <= highest < easy <= 1"
            )
        if (worst := self.worst_error()) > self.error:
            raise ValueError(
                f"{self.n} attempts leave an error of {worst:.3f}, above {self.error}: raise n,"
                " raise the error, or widen the gaps between the rates"
            )

    def worst_error(self) -> float:
        """The exact share of wrong verdicts at the worst of the four rates."""
        wrong = [1 - kept_share(self, rate) for rate in (self.lowest, self.highest)]
        wrong += [kept_share(self, self.hard)] if self.lowest else []
        wrong += [kept_share(self, self.easy)] if self.highest < 1 else []
        return max(wrong)

    def verdict(self, tally: Tally) -> bool | None:
        """Keep or drop once the attempts tell the rates apart; None while they do not, and after
        n attempts where it depends on what the unscored ones were."""
        above, below = self._sides(tally)
        if above is False or below is False:
            return False
        return True if above and below else None

    def failed(self, tally: Tally) -> str | None:
        """The bound that drops the sample; None unless the verdict is False."""
        above, below = self._sides(tally)
        if above is False:
            return self.name_low
        return self.name_high if below is False else None

    def sides(self, arm: str) -> tuple[str, str]:
        """SQL: the rate is above the lower bound, and below the upper one, or null."""
        above = self._exceeds_sql(arm, self.hard, self.lowest) if self.lowest else "true"
        easy = self._exceeds_sql(arm, self.highest, self.easy) if self.highest < 1 else "false"
        return above, f"NOT ({easy})"

    def least(self, tally: Tally) -> int:
        """The fewest further attempts that may bring a verdict; 0 when there is one already, or
        when none can come any more."""
        return _least(self, tally)

    def _sides(self, tally: Tally) -> tuple[bool | None, bool | None]:
        """Whether the rate is above the lower bound and below the upper one."""
        above = not self.lowest or self._exceeds(tally, self.hard, self.lowest)
        easy = self.highest < 1 and self._exceeds(tally, self.highest, self.easy)
        return above, None if easy is None else not easy

    def _exceeds(self, tally: Tally, low: float, high: float) -> bool | None:
        """Wald's test of the rate `high` against `low`; None while it is open."""
        right, wrong = _weights(low, high)
        # An unscored attempt could have been either: what holds must hold both ways.
        least = tally.right * right + (tally.wrong + tally.unscored) * wrong
        most = (tally.right + tally.unscored) * right + tally.wrong * wrong
        enough = 0.0 if tally.drawn >= self.n else self._enough
        if least >= enough:
            return True
        return False if most <= -enough else None

    def _exceeds_sql(self, arm: str, low: float, high: float) -> str:
        """`_exceeds` over an arm's counts, with the same numbers in the same order."""
        # DuckDB takes 0.69 for a decimal and 6.9e-01 for a double.
        plus, minus, limit = (f"{x:.17e}" for x in (*_weights(low, high), self._enough))
        right, wrong, unscored = (f"{arm}_{count}" for count in ("right", "wrong", "unscored"))
        least = f"{right} * {plus} + ({wrong} + {unscored}) * ({minus})"
        most = f"({right} + {unscored}) * {plus} + {wrong} * ({minus})"
        enough = f"CASE WHEN {right} + {wrong} + {unscored} >= {self.n} THEN 0 ELSE {limit} END"
        return f"CASE WHEN {least} >= {enough} THEN true WHEN {most} <= -({enough}) THEN false END"

    @property
    def _enough(self) -> float:
        """The logarithm of the likelihood ratio that ends the test, either way."""
        return math.log((1 - self.error) / self.error)


def _weights(low: float, high: float) -> tuple[float, float]:
    """What a right and what a wrong attempt add to the log-likelihood ratio of two rates."""
    low, high = max(low, _NEVER), min(high, 1 - _NEVER)
    return math.log(high / low), math.log((1 - high) / (1 - low))


@lru_cache(maxsize=2**16)
def _least(rule: SequentialRule, tally: Tally) -> int:
    if rule.verdict(tally) is not None:
        return 0
    for more in range(1, rule.n - tally.drawn + 1):
        for right in range(more + 1):
            later = Tally(tally.right + right, tally.wrong + more - right, tally.unscored)
            if rule.verdict(later) is not None:
                return more
    return 0
