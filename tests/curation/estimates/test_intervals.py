from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import beta

from curation.estimates.intervals import Estimate, difference, pass_rate
from curation.estimates.rules import CountRule, Tally
from tests.simulator import Pool, kept_by_toolsight, pass_rates


def cover(estimates: Sequence[Estimate | None], truth: Sequence[float]) -> float:
    pairs = zip(estimates, truth, strict=True)
    return float(np.mean([e is not None and e.low <= true <= e.high for e, true in pairs]))


def test_the_pass_rate_has_jeffreys_interval() -> None:
    estimate = pass_rate(Tally(2, 6, 3))
    assert estimate is not None and estimate.value == 0.25
    assert estimate.low == pytest.approx(beta.ppf(0.025, 2.5, 6.5))
    assert estimate.high == pytest.approx(beta.ppf(0.975, 2.5, 6.5))
    none, all_ = pass_rate(Tally(0, 8)), pass_rate(Tally(8, 0))
    assert none is not None and (none.value, none.low) == (0, 0) and none.high < 0.3
    assert all_ is not None and (all_.value, all_.high) == (1, 1) and all_.low > 0.7
    assert pass_rate(Tally(0, 0, 8)) is None


@pytest.mark.parametrize(("lowest", "highest"), [(1, 7), (0, 2)])
def test_intervals_after_an_early_stop_hold_the_truth(lowest: int, highest: int) -> None:
    rule = CountRule(lowest=lowest, highest=highest, n=8)
    pool = Pool({"direct": pass_rates("mixed", 10_000)})
    found = [pass_rate(tally) for tally in pool.stopped("direct", rule)]
    assert 0.94 <= cover(found, list(pool.rates["direct"])) <= 0.97


def test_intervals_of_a_difference_hold_the_truth() -> None:
    direct = pass_rates("mixed", 10_000)
    lifted = direct + (1 - direct) * pass_rates("hard", 10_000, seed=1)
    pool = Pool({"direct": direct, "tools": np.where(np.arange(10_000) % 2, lifted, direct)})
    arms = zip(pool.tallies("tools", 8), pool.tallies("direct", 8), strict=True)
    found = [difference(*pair) for pair in arms]
    assert 0.94 <= cover(found, list(pool.rates["tools"] - direct)) <= 0.97


def test_a_difference_is_the_same_from_both_sides() -> None:
    there, back = difference(Tally(7, 1), Tally(1, 3)), difference(Tally(1, 3), Tally(7, 1))
    assert there is not None and back is not None
    assert there.value == 0.625 and 0 < there.low < there.value < there.high <= 1
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert difference(Tally(1, 0), Tally(0, 0, 4)) is None


@pytest.mark.parametrize(
    ("tools", "placebo", "kept"), [(0.1, 0.1, 0), (0.6, 0.6, 0), (0.8, 0.1, 1)]
)
def test_the_placebo_rule_errs_in_at_most_one_of_twenty(
    tools: float, placebo: float, kept: int
) -> None:
    rates = {"direct": 0.1, "tools": tools, "placebo": placebo}
    pool = Pool({arm: np.full(4_000, rate) for arm, rate in rates.items()})
    drawn = [pool.tallies(arm, 16) for arm in ("tools", "direct", "placebo")]
    assert np.mean(kept_by_toolsight(*drawn) == bool(kept)) >= 0.95
