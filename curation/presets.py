"""The papers' rules on difficulty and tool benefit, as SQL over the counts of `benefits`.

Every rule is a condition that must hold for a sample to be kept, and each of them has three
outcomes: true, false, or null when the attempts that are unscored could still change it. A null
is never a keep: the sample is dropped as `<rule>:unscored`.

A preset states the arms that it needs, the rules on the direct attempts (other arms are asked
only where these hold), the rules on the other arms, and the split; all as functions of how many
attempts the recipe asks for.
"""

from __future__ import annotations

from dataclasses import dataclass


def at_most(right: str, attempts: str, bound: int) -> str:
    """SQL: at most `bound` of the attempts are right, whatever the unscored ones are."""
    highest = f"({right}_right + {attempts} - {right}_attempts + {right}_unscored)"
    return f"CASE WHEN {right}_right > {bound} THEN false WHEN {highest} <= {bound} THEN true END"


def at_least(right: str, attempts: str, bound: int) -> str:
    """SQL: at least `bound` of the attempts are right, whatever the unscored ones are."""
    highest = f"({right}_right + {attempts} - {right}_attempts + {right}_unscored)"
    return f"CASE WHEN {right}_right >= {bound} THEN true WHEN {highest} < {bound} THEN false END"


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition on a sample; `sql` is true to keep, false to drop, null when undecided."""

    name: str
    sql: str


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

    def __post_init__(self) -> None:
        if self.min_right < 0 or self.min_oracle_right < 1:
            raise ValueError("min_right must be at least 0 and min_oracle_right at least 1")
        if not 0 < self.max_right_share <= 1:
            raise ValueError(f"max_right_share is {self.max_right_share}: write 0 < share <= 1")

    def direct_rules(self, direct: int) -> list[Rule]:
        """What the attempts without tools decide; ValueError when the bounds contradict."""
        most = -int(-self.max_right_share * direct // 1) - 1
        if most < self.min_right:
            raise ValueError(
                f"min_right = {self.min_right} and max_right_share = {self.max_right_share} of"
                f" {direct} attempts leave nothing to keep: widen one, or draw more attempts"
            )
        return [
            Rule("too_hard", at_least("direct", str(direct), self.min_right)),
            Rule("too_easy", at_most("direct", str(direct), most)),
        ]

    def later_rules(self, oracle: int, tools: int) -> list[Rule]:
        """What the attempts on the ground-truth crop decide."""
        if not self.fine_grained:
            return []
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in self.fine_grained)
        solved = at_least("oracle", str(oracle), self.min_oracle_right)
        exempt = f"category NOT IN ({names}) OR len(evidence) = 0"
        return [Rule("unsolved_on_crop", f"CASE WHEN {exempt} THEN true ELSE {solved} END")]

    def split(self) -> str:
        """SQL: where a kept sample goes."""
        return "'rl'"

    def needs(self) -> tuple[str, ...]:
        return ("direct", "oracle_crop") if self.fine_grained else ("direct",)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepEyesV2:
    """DeepEyesV2 (arXiv 2511.05271, section 3.2).

    Keeps what the policy gets right at most twice in eight attempts, never included. What it
    then solves with tools goes to RL, the rest to the cold start; the paper does not say how
    often "solves" is, so that is a setting.
    """

    max_direct_right: int = 2
    min_tools_right: int = 1

    def __post_init__(self) -> None:
        if self.max_direct_right < 0 or self.min_tools_right < 1:
            raise ValueError("max_direct_right must be at least 0, min_tools_right at least 1")

    def direct_rules(self, direct: int) -> list[Rule]:
        """What the attempts without tools decide; ValueError when the bound drops nothing."""
        if self.max_direct_right >= direct:
            raise ValueError(
                f"max_direct_right = {self.max_direct_right} drops nothing of {direct} attempts:"
                " lower it, or draw more attempts"
            )
        return [Rule("too_easy", at_most("direct", str(direct), self.max_direct_right))]

    def later_rules(self, oracle: int, tools: int) -> list[Rule]:
        """Nothing is dropped for its tool attempts, but the split needs to know them."""
        if self.min_tools_right > tools:
            raise ValueError(
                f"min_tools_right = {self.min_tools_right} can never be reached with {tools}"
                " attempts: lower it, or draw more attempts"
            )
        known = f"tools_right >= {self.min_tools_right} OR tools_attempts > tools_unscored"
        return [Rule("tools", f"CASE WHEN {known} THEN true END")]

    def split(self) -> str:
        """A sample that is not solved often enough is for the cold start, also where some
        attempts broke off unscored: failing with tools is what a cold start is against."""
        return f"CASE WHEN tools_right >= {self.min_tools_right} THEN 'rl' ELSE 'cold_start' END"

    def needs(self) -> tuple[str, ...]:
        return ("direct", "tools")


Preset = DeepEyes | DeepEyesV2

PRESETS: dict[str, type[DeepEyes] | type[DeepEyesV2]] = {
    "deepeyes": DeepEyes,
    "deepeyes-v2": DeepEyesV2,
}
