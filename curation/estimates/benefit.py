"""The benefit of tools on one sample, from the counts of its arms."""

from __future__ import annotations

from collections.abc import Mapping

from curation.estimates.intervals import Estimate, difference, pass_rate
from curation.estimates.rules import Tally
from schemas import Benefit

Row = Mapping[str, int | str]
"""A row of `curation.stages.count.tallies`."""


def benefit_of(row: Row) -> Benefit:
    """Pass rates of the first attempts; benefit, gain and harm of the fresh ones where there are
    any, since the first ones chose the sample."""
    direct, tools = tally(row, "direct"), tally(row, "tools")
    fresh_direct, fresh_tools = tally(row, "confirm_direct"), tally(row, "confirm_tools")
    confirmed = difference(fresh_tools, fresh_direct) is not None
    compared = (fresh_tools, fresh_direct) if confirmed else (tools, direct)
    without, within = pass_rate(direct), pass_rate(tools)
    change = difference(*compared)
    margin = difference(compared[0], tally(row, "placebo"))
    gain, harm = _gain_and_harm(*compared)
    return Benefit(
        sample_id=str(row["sample_id"]),
        direct_attempts=direct.drawn,
        direct_right=direct.right,
        direct_unscored=direct.unscored,
        tools_attempts=tools.drawn,
        tools_right=tools.right,
        tools_unscored=tools.unscored,
        direct_pass_rate=_value(without),
        direct_low=_low(without),
        direct_high=_high(without),
        tools_pass_rate=_value(within),
        tools_low=_low(within),
        tools_high=_high(within),
        tool_benefit=_value(change),
        tool_benefit_low=_low(change),
        tool_benefit_high=_high(change),
        tool_gain=gain,
        tool_harm=harm,
        confirmed=confirmed,
        placebo_margin=_value(margin),
        placebo_margin_low=_low(margin),
    )


def tally(row: Row, arm: str) -> Tally:
    """The counts of one arm."""
    right, wrong, unscored = (row[f"{arm}_{name}"] for name in ("right", "wrong", "unscored"))
    return Tally(int(right), int(wrong), int(unscored))


def _gain_and_harm(tools: Tally, direct: Tally) -> tuple[float | None, float | None]:
    """How often of two independent attempts only the one with tools is right, and only the other:
    benefit is their difference."""
    within, without = pass_rate(tools), pass_rate(direct)
    if within is None or without is None:
        return None, None
    return within.value * (1 - without.value), without.value * (1 - within.value)


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def _low(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.low


def _high(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.high
