"""Waves: as large as they can be without wasting attempts."""

from __future__ import annotations

import pytest

from curation.estimates.rules import CountRule, Tally
from curation.estimates.sequential import SequentialRule
from curation.estimates.waves import wave

DEEPEYES = CountRule(lowest=1, highest=7, n=8)
AT_MOST_TWO = CountRule(lowest=0, highest=2, n=8)


def test_the_first_wave_is_the_least_that_can_bring_a_verdict() -> None:
    assert wave(DEEPEYES, Tally(0, 0)) == DEEPEYES.least(Tally(0, 0)) == 2
    assert wave(AT_MOST_TWO, Tally(0, 0)) == 3


def test_waves_grow_with_what_was_drawn_and_more_so_while_all_attempts_agree() -> None:
    assert [wave(DEEPEYES, Tally(right, 0)) for right in (2, 3, 5)] == [1, 2, 3]
    assert [wave(DEEPEYES, Tally(0, wrong)) for wrong in (2, 3, 5)] == [1, 2, 3]
    assert wave(AT_MOST_TWO, Tally(2, 3)) == 2


@pytest.mark.parametrize("rule", [DEEPEYES, AT_MOST_TWO])
def test_a_wave_is_never_less_than_the_rule_asks_for_nor_beyond_the_full_draw(
    rule: CountRule,
) -> None:
    for right in range(9):
        for wrong in range(9 - right):
            tally = Tally(right, wrong)
            least = rule.least(tally)
            size = wave(rule, tally)
            assert least <= size <= rule.n - tally.drawn and (size == 0) == (least == 0)


def test_a_sequential_test_gets_no_attempt_more_than_it_asks_for() -> None:
    rule = SequentialRule(hard=0.05, lowest=0.25, highest=0.75, easy=0.95, error=0.05, n=64)
    for drawn in range(20):
        assert wave(rule, Tally(drawn, 0)) == rule.least(Tally(drawn, 0))
