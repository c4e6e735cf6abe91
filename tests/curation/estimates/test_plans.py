from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from curation.estimates.plans import attempts_drawn, kept_share, stops, unbiased_rate
from curation.estimates.rules import CountRule, Tally
from tests.simulator import stop

RULES = [
    CountRule(lowest=1, highest=7, n=8),
    CountRule(lowest=0, highest=2, n=8),
    CountRule(lowest=3, highest=4, n=6),
    CountRule(lowest=2, highest=5, n=5),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.83, 1.0])
def test_the_rate_is_unbiased_whatever_it_is(rule: CountRule, rate: float) -> None:
    ends = stops(rule)
    assert sum(end.probability(rate) for end in ends) == pytest.approx(1)
    estimates = [unbiased_rate(Tally(end.right, end.wrong), rule) for end in ends]
    mean = sum(
        end.probability(rate) * value
        for end, value in zip(ends, estimates, strict=True)
        if value is not None
    )
    assert mean == pytest.approx(rate)


@pytest.mark.parametrize("rule", RULES)
def test_shares_and_costs_are_those_of_all_orders(rule: CountRule) -> None:
    rate, kept, drawn = 0.3, 0.0, 0.0
    for order in product((True, False), repeat=rule.n):
        weight = rate ** sum(order) * (1 - rate) ** (rule.n - sum(order))
        kept += weight * (rule.lowest <= sum(order) <= rule.highest)
        drawn += weight * stop(rule, np.array(order)).drawn
    assert kept_share(rule, rate) == pytest.approx(kept)
    assert attempts_drawn(rule, rate) == pytest.approx(drawn)


def test_the_unbiased_rate_follows_how_the_sample_stopped() -> None:
    at_most_two = CountRule(lowest=0, highest=2, n=8)
    assert unbiased_rate(Tally(3, 2), at_most_two) == 0.5  # Haldane's (3 - 1) / (5 - 1)
    assert unbiased_rate(Tally(3, 2)) == 0.6
    assert unbiased_rate(Tally(1, 4, 3), at_most_two) == 0.2  # ended by unscored attempts
    assert unbiased_rate(Tally(0, 0, 8), at_most_two) is None
    assert unbiased_rate(Tally(4, 4), at_most_two) is None  # would have stopped before
