"""Presets: which samples to keep and where they go, as conditions on what the arms counted.

A condition is what must hold for a sample to be kept. One on counts is a `Rule`, which also tells
the stage that draws the attempts when it may stop; its SQL says the same of stored counts.
What attempts leave open is never a keep: the sample is dropped as `<bound>:unscored`.

Conditions on `direct` come first, and other arms are asked only where they hold. Those on
`benefits` (intervals of estimates) come last, for what the first attempts selected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from curation.estimates.rules import CountRule, Rule
from curation.estimates.sequential import SequentialRule

Planned = Mapping[str, int]
"""Attempts that the recipe asks for, by arm; 0 where an arm is not run."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that must hold for a sample to be kept."""

    reason: str
    """SQL over counts by arm (`tools_right`, `tools_wrong`), `benefits` and `samples`: null where
    it holds, else the name under which the sample is dropped."""
    arm: str | None = None
    """The arm that it counts; null for one on estimates."""
    rule: Rule | None = None
    """What the attempts of the arm must settle; null when all are needed."""
    undrawn: str = "false"
    """SQL over the same: attempts that could decide it were never made."""


def counted(arm: str, rule: Rule, *, exempt: str = "false") -> Condition:
    """The rule on an arm's counts, for samples that are not exempt."""
    above, below = rule.sides(arm)
    reason = f"""
        CASE WHEN {exempt} THEN NULL
             WHEN NOT ({above}) THEN '{rule.name_low}'
             WHEN NOT ({below}) THEN '{rule.name_high}'
             WHEN ({above}) IS NULL THEN '{rule.name_low}:unscored'
             WHEN ({below}) IS NULL THEN '{rule.name_high}:unscored' END
    """
    return Condition(reason, arm, rule, f"{arm}_drawn < {rule.n}")


def settled(arm: str, rule: Rule) -> str:
    """SQL over counts: the attempts settle what the rule says (`Rule.verdict`)."""
    above, below = rule.sides(arm)
    return f"(({above}) AND ({below})) IS NOT NULL"


def confirmed(name: str, estimate: str, bound: float, *, asked: str, arm: str) -> Condition:
    """An estimate from fresh attempts that lies above a bound, for samples of which it is asked
    (SQL); `arm` is what it takes besides the two arms of `confirm`."""
    arms = dict.fromkeys(("confirm_direct", "confirm_tools", arm))
    return Condition(
        f"""CASE WHEN NOT ({asked}) THEN NULL
                 WHEN NOT confirmed OR {estimate} IS NULL THEN '{name}:unscored'
                 WHEN {estimate} <= {bound!r} THEN '{name}' END""",
        undrawn=" OR ".join(f"{arm}_drawn = 0" for arm in arms),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepEyes:
    """DeepEyes (arXiv 2505.14362, section 3.3, "Data Selection").

    Keeps what the policy sometimes gets right, and of the fine-grained samples with an evidence
    box only those that it can solve on the ground-truth crop. There is no cold start.
    """

    min_right: int = 1
    """Fewer right direct attempts are too hard."""
    max_right_share: float = 1.0
    """A share of right direct attempts as large as this is too easy."""
    fine_grained: tuple[str, ...] = ("perception",)
    """Categories to which the crop rule applies; the paper leaves charts and reasoning alone."""
    min_oracle_right: int = 1
    """Fewer right attempts on the ground-truth crop are too hard."""

    def __post_init__(self) -> None:
        if self.min_right < 0 or self.min_oracle_right < 1:
            raise ValueError("min_right must be at least 0 and min_oracle_right at least 1")
        if not 0 < self.max_right_share <= 1:
            raise ValueError(f"max_right_share is {self.max_right_share}: write 0 < share <= 1")

    def needs(self) -> tuple[str, ...]:
        return ("direct", "oracle_crop") if self.fine_grained else ("direct",)

    def conditions(self, planned: Planned) -> list[Condition]:
        n = planned["direct"]
        most = -int(-self.max_right_share * n // 1) - 1
        if most < self.min_right:
            raise ValueError(
                f"min_right = {self.min_right} and max_right_share = {self.max_right_share} of"
                f" {n} attempts leave nothing to keep: widen one, or draw more attempts"
            )
        direct = counted("direct", CountRule(lowest=self.min_right, highest=most, n=n))
        return [direct, self._on_crop(planned["oracle_crop"])] if self.fine_grained else [direct]

    def _on_crop(self, n: int) -> Condition:
        _reachable("min_oracle_right", self.min_oracle_right, n)
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in self.fine_grained)
        rule = CountRule(lowest=self.min_oracle_right, highest=n, n=n, name_low="unsolved_on_crop")
        exempt = f"category NOT IN ({names}) OR len(evidence) = 0"
        return counted("oracle_crop", rule, exempt=exempt)

    def split(self) -> str:
        return "'rl'"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepEyesV2:
    """DeepEyesV2 (arXiv 2511.05271, section 3.2).

    Keeps what the policy gets right at most twice in eight attempts, never included. What it
    then solves with tools goes to RL, the rest to the cold start; the paper does not say how
    often "solves" is, so that is a setting.
    """

    max_direct_right: int = 2
    """More right direct attempts are too easy."""
    min_tools_right: int = 1
    """As many right attempts with tools send a sample to RL, fewer to the cold start."""

    def __post_init__(self) -> None:
        if self.max_direct_right < 0 or self.min_tools_right < 1:
            raise ValueError("max_direct_right must be at least 0, min_tools_right at least 1")

    def needs(self) -> tuple[str, ...]:
        return ("direct", "tools")

    def conditions(self, planned: Planned) -> list[Condition]:
        n = planned["direct"]
        if self.max_direct_right >= n:
            raise ValueError(
                f"max_direct_right = {self.max_direct_right} drops nothing of {n} attempts:"
                " lower it, or draw more attempts"
            )
        easy = CountRule(lowest=0, highest=self.max_direct_right, n=n)
        return [counted("direct", easy), _tried(self.min_tools_right, planned["tools"])]

    def split(self) -> str:
        """A sample that is not solved often enough is for the cold start, also where some
        attempts broke off unscored: failing with tools is what a cold start is against."""
        return f"CASE WHEN tools_right >= {self.min_tools_right} THEN 'rl' ELSE 'cold_start' END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolsight(DeepEyesV2):
    """Ours: like DeepEyesV2, and what goes to RL is shown to profit from its tools.

    What the first attempts solve with tools is drawn again, with and without. It is kept where
    the 95 % interval of the benefit on those fresh attempts lies above `min_benefit` (the first
    ones flatter it: they chose the sample), and where the tools also beat a placebo.
    """

    min_benefit: float = 0.0
    """Difference of the pass rates above which the interval of the benefit must lie."""

    def __post_init__(self) -> None:
        DeepEyesV2.__post_init__(self)
        if not 0 <= self.min_benefit < 1:
            raise ValueError(f"min_benefit is {self.min_benefit}: write a share from 0 up to 1")

    def needs(self) -> tuple[str, ...]:
        return ("direct", "tools", "confirm_direct", "confirm_tools", "placebo")

    def conditions(self, planned: Planned) -> list[Condition]:
        solved = f"tools_right >= {self.min_tools_right}"
        return [
            *DeepEyesV2.conditions(self, planned),
            confirmed(
                "no_benefit",
                "tool_benefit_low",
                self.min_benefit,
                asked=solved,
                arm="confirm_tools",
            ),
            confirmed("placebo", "placebo_margin_low", 0.0, asked=solved, arm="placebo"),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """For screening very large pools: what the policy sometimes gets right, by its true pass rate.

    The others give the verdict of the full draw. This one stops a sample as soon as its attempts
    tell the rates apart (`SequentialRule`): of the samples at any rate outside the gaps, at most
    a share of `error` gets a wrong verdict. The n of `[arms.direct]` ends what is still open, and
    is refused where it is too small for the error. What is kept goes to RL.
    """

    hard: float = 0.05
    """Samples with a pass rate up to this are dropped, ..."""
    lowest: float = 0.25
    """... and from this on kept; `hard = lowest = 0` leaves the lower bound out."""
    highest: float = 0.75
    """Samples with a pass rate up to this are kept, ..."""
    easy: float = 0.95
    """... and from this on dropped; `highest = easy = 1` leaves the upper bound out."""
    error: float = 0.05
    """Share of the samples at one rate that may get a wrong verdict."""

    def needs(self) -> tuple[str, ...]:
        return ("direct",)

    def conditions(self, planned: Planned) -> list[Condition]:
        return [counted("direct", SequentialRule(**asdict(self), n=planned["direct"]))]

    def split(self) -> str:
        return "'rl'"


def _tried(least: int, n: int) -> Condition:
    """Nothing is dropped for its tool attempts, but the split needs to know them."""
    _reachable("min_tools_right", least, n)
    known = f"tools_right >= {least} OR tools_right + tools_wrong > 0"
    return Condition(
        f"CASE WHEN {known} THEN NULL ELSE 'tools:unscored' END",
        "tools",
        CountRule(lowest=least, highest=n, n=n),
        f"tools_drawn < {n}",
    )


def _reachable(name: str, least: int, n: int) -> None:
    if least > n:
        raise ValueError(
            f"{name} = {least} can never be reached with {n} attempts: lower it, or draw more"
            " attempts"
        )


Preset = DeepEyes | DeepEyesV2 | Toolsight | Screen
"""Offers `needs` (arms without which it cannot decide), `conditions` (in the order in which they
are asked; ValueError where bounds contradict) and `split` (SQL: where a kept sample goes)."""

PRESETS: dict[str, type[Preset]] = {
    "deepeyes": DeepEyes,
    "deepeyes-v2": DeepEyesV2,
    "toolsight": Toolsight,
    "screen": Screen,
}
