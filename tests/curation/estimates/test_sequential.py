from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from curation.estimates.plans import attempts_drawn, kept_share
from curation.estimates.rules import Tally
from curation.estimates.sequential import SequentialRule
from tests.simulator import Pool

UPPER = SequentialRule(highest=0.25, easy=0.5)
BOTH = SequentialRule(hard=0.02, lowest=0.2, highest=0.8, easy=0.98, n=60)


@pytest.mark.parametrize(
    ("rule", "rate", "keep"),
    [(UPPER, 0.25, True), (UPPER, 0.5, False), (BOTH, 0.02, False), (BOTH, 0.2, True)],
)
def test_simulated_samples_get_wrong_verdicts_as_seldom_as_stated(
    rule: SequentialRule, rate: float, keep: bool
) -> None:
    pool = Pool({"direct": np.full(10_000, rate)})
    tallies = pool.stopped("direct", rule)
    wrong = np.mean([rule.verdict(tally) is not keep for tally in tallies])
    exact = 1 - kept_share(rule, rate) if keep else kept_share(rule, rate)
    assert exact <= 0.05
    assert wrong == pytest.approx(exact, abs=0.007)
    mean = np.mean([tally.drawn for tally in tallies])
    assert mean == pytest.approx(attempts_drawn(rule, rate), rel=0.03)


@pytest.mark.parametrize("rule", [UPPER, BOTH])
def test_the_error_holds_at_every_rate_outside_the_gaps(rule: SequentialRule) -> None:
    for rate in np.linspace(rule.lowest, rule.highest, 15):
        assert 1 - kept_share(rule, rate) <= rule.error
    for rate in np.linspace(rule.easy, 1, 5):
        assert kept_share(rule, rate) <= rule.error


def test_clear_samples_end_long_before_n() -> None:
    assert UPPER.least(Tally(0, 0)) == 5
    assert UPPER.failed(Tally(5, 0)) == "too_easy" and UPPER.verdict(Tally(5, 0)) is False
    assert BOTH.failed(Tally(0, 40)) == "too_hard"
    assert UPPER.verdict(Tally(0, 8)) is True
    assert BOTH.verdict(Tally(20, 20)) is True


def test_unscored_attempts_could_have_been_either() -> None:
    assert UPPER.verdict(Tally(3, 0, 2)) is None
    assert UPPER.verdict(Tally(0, 0, 64)) is None and UPPER.least(Tally(0, 0, 64)) == 0
    assert UPPER.verdict(Tally(5, 50, 9)) is True


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"highest": 0.5, "easy": 0.25}, "contradict: write 0 <= hard < lowest"),
        ({"highest": 0.5, "easy": 0.5}, "contradict"),
        ({"highest": 0.25, "easy": 0.5, "n": 16}, "16 attempts leave an error of 0.1"),
        ({"highest": 0.25, "easy": 0.5, "n": 0}, "n = 0 and error = 0.05 are no"),
        ({"highest": 0.25, "easy": 0.5, "error": 0.0}, "the error between 0 and 0.5"),
        ({"highest": 0.25, "easy": 0.5, "n": 2000}, "n lies between 1 and 512"),
    ],
)
def test_rules_that_cannot_keep_their_promise_are_refused(
    settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        SequentialRule(**settings)
