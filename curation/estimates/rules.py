"""Rules on counts that know when they are decided, so that attempts can end early.

A rule such as "at most 2 right of 8" needs 8 attempts only in the worst case: three right ones, or
six wrong ones, settle it. This is curtailed sampling: the verdict is that of the full draw, attempt
by attempt, and only the cost falls (Girshick, Mosteller and Savage, "Unbiased estimates for certain
binomial sampling problems with applications", Annals of Mathematical Statistics 17, 1946).

Draw `rule.least(tally)` attempts at a time until that is 0:

    rule = CountRule(lowest=0, highest=2, n=8)          # DeepEyesV2
    rule.least(Tally(right=0, wrong=0))                 # 3: fewer cannot decide it
    rule.verdict(Tally(right=3, wrong=0))               # False
    rule.failed(Tally(right=3, wrong=0))                # "too_easy"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the attempts at one sample in one arm; those drawn are the sum."""

    right: int
    wrong: int
    unscored: int = 0
    """Drawn, and neither right nor wrong: no answer that a grader could judge."""

    @property
    def drawn(self) -> int:
        return self.right + self.wrong + self.unscored


class Rule(Protocol):
    """What decides a sample by its tally; an unscored attempt could have been either.

    Rules are values: equal ones hash alike, and what follows from a rule is computed once.
    """

    def __hash__(self) -> int: ...

    @property
    def n(self) -> int:
        """Attempts of the full draw."""

    @property
    def name_low(self) -> str:
        """Why a sample below the lower bound is dropped."""

    @property
    def name_high(self) -> str:
        """Why a sample above the upper bound is dropped."""

    @property
    def final(self) -> bool:
        """Whether no further attempt can change a verdict, so that a wave may draw too many."""

    def verdict(self, tally: Tally) -> bool | None:
        """Keep or drop where the attempts settle it, None while it is open."""

    def least(self, tally: Tally) -> int:
        """The fewest further attempts that may bring a verdict; 0 when there is one already, or
        when none can come any more (too much is unscored)."""

    def failed(self, tally: Tally) -> str | None:
        """The bound that drops the sample; None unless the verdict is False."""

    def sides(self, arm: str) -> tuple[str, str]:
        """The verdict as SQL over an arm's counts (`direct_right`, `direct_wrong`,
        `direct_unscored`): whether the sample is above the lower bound, and whether it is below
        the upper one; null while that is open. Of more than n attempts it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enough:
    """Draw until `wanted` attempts are right, or all n are drawn (rejection sampling).

    Those that are kept are the first right ones of the full draw.
    """

    name_low: ClassVar[str] = "too_few"
    name_high: ClassVar[str] = ""
    final: ClassVar[bool] = False

    wanted: int
    n: int

    def verdict(self, tally: Tally) -> bool | None:
        """Keep where enough are right; what is missing no wrong attempt rules out."""
        return True if tally.right >= self.wanted else None

    def least(self, tally: Tally) -> int:
        """As many as are missing, which never draws one too many."""
        return min(max(0, self.wanted - tally.right), self.n - tally.drawn)

    def failed(self, tally: Tally) -> str | None:
        """Nothing is dropped by it."""
        return None

    def sides(self, arm: str) -> tuple[str, str]:
        """SQL: right attempts reach `wanted`, or null; there is no upper bound."""
        return f"CASE WHEN {arm}_right >= {self.wanted} THEN true END", "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRule:
    """Keep a sample where `lowest` <= right <= `highest` of n attempts.

    DeepEyes is 1 to n - 1, DeepEyesV2 is 0 to 2 of 8, "solved with tools" is k to n.
    """

    final: ClassVar[bool] = True

    lowest: int
    highest: int
    n: int
    name_low: str = "too_hard"
    """Why a sample with fewer right attempts than `lowest` is dropped."""
    name_high: str = "too_easy"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"a rule on {self.n} attempts decides nothing: draw at least 1")
        if self.lowest > self.highest:
            raise ValueError(
                f"at least {self.lowest} and at most {self.highest} right leave nothing to keep:"
                " raise the upper bound or lower the other"
            )
        if self.lowest < 0 or self.highest > self.n:
            raise ValueError(
                f"{self.lowest} to {self.highest} right of {self.n} attempts cannot be counted:"
                f" both bounds lie between 0 and {self.n}"
            )

    def verdict(self, tally: Tally) -> bool | None:
        """Keep or drop where no further attempt can change it, None while that is open."""
        if self.failed(tally):
            return False
        kept = tally.right >= self.lowest and tally.wrong >= self.n - self.highest
        return True if kept else None

    def failed(self, tally: Tally) -> str | None:
        """The bound that drops the sample; None unless the verdict is False."""
        if tally.right > self.highest:
            return self.name_high
        return self.name_low if tally.wrong > self.n - self.lowest else None

    def sides(self, arm: str) -> tuple[str, str]:
        """SQL: right attempts reach `lowest`, and stay within `highest`, or null."""
        right, wrong = f"{arm}_right", f"{arm}_wrong"
        low, high = self.lowest, self.highest
        return (
            f"CASE WHEN {right} >= {low} THEN true WHEN {wrong} > {self.n - low} THEN false END",
            f"CASE WHEN {wrong} >= {self.n - high} THEN true WHEN {right} > {high} THEN false END",
        )

    def least(self, tally: Tally) -> int:
        """The fewest further attempts that may bring a verdict; 0 when there is one already, or
        when none can come any more. Waves of this size never draw more than one at a time would.
        """
        if self.verdict(tally) is not None:
            return 0
        right, wrong = self.lowest - tally.right, self.n - self.highest - tally.wrong
        ways = (
            max(0, right) + max(0, wrong),  # to keep
            self.highest + 1 - tally.right,  # to drop as too easy
            self.n - self.lowest + 1 - tally.wrong,  # to drop as too hard
        )
        fewest = min(ways)
        return fewest if fewest <= self.n - tally.drawn else 0
