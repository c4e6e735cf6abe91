from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from curation.estimates.rules import CountRule, Enough, Rule, Tally

R, W, U = "right", "wrong", "unscored"


def tally(outcomes: tuple[str, ...]) -> Tally:
    return Tally(outcomes.count(R), outcomes.count(W), outcomes.count(U))


def rules(most: int) -> Iterator[CountRule]:
    """Every rule on 1 to `most` attempts."""
    for n in range(1, most + 1):
        for lowest in range(n + 1):
            for highest in range(lowest, n + 1):
                yield CountRule(lowest=lowest, highest=highest, n=n)


def one_at_a_time(rule: Rule, outcomes: tuple[str, ...]) -> Tally:
    """Stop at the first attempt after which the rule is decided."""
    for drawn in range(len(outcomes)):
        if rule.verdict(tally(outcomes[:drawn])) is not None:
            return tally(outcomes[:drawn])
    return tally(outcomes)


def in_waves(rule: Rule, outcomes: tuple[str, ...]) -> Tally:
    """Draw as many as `least` says until it says none."""
    drawn = 0
    while wave := rule.least(tally(outcomes[:drawn])):
        drawn += wave
    assert drawn <= len(outcomes)
    return tally(outcomes[:drawn])


def test_waves_stop_where_single_attempts_would_with_the_verdict_of_the_full_draw() -> None:
    for rule in rules(10):
        for outcomes in product((R, W), repeat=rule.n):
            stopped = in_waves(rule, outcomes)
            right = outcomes.count(R)
            assert rule.verdict(stopped) is (rule.lowest <= right <= rule.highest)
            assert stopped == one_at_a_time(rule, outcomes)


def test_a_verdict_is_given_as_soon_as_every_continuation_agrees() -> None:
    for rule in rules(6):
        for drawn in range(rule.n + 1):
            for outcomes in product((R, W, U), repeat=drawn):
                seen = tally(outcomes)
                spare = rule.n - drawn + seen.unscored
                possible = range(seen.right, seen.right + spare + 1)
                keeps = {rule.lowest <= right <= rule.highest for right in possible}
                assert rule.verdict(seen) is (keeps.pop() if len(keeps) == 1 else None)


def test_unscored_attempts_change_no_verdict_and_cost_nothing_once_hopeless() -> None:
    for rule in rules(6):
        for outcomes in product((R, W, U), repeat=rule.n):
            stopped = in_waves(rule, outcomes)
            assert rule.verdict(stopped) is rule.verdict(tally(outcomes))
            assert stopped.drawn <= one_at_a_time(rule, outcomes).drawn


def test_the_failed_bound_is_named() -> None:
    rule = CountRule(lowest=1, highest=7, n=8)
    assert rule.failed(Tally(0, 8)) == "too_hard"
    assert rule.failed(Tally(8, 0)) == "too_easy"
    assert rule.failed(Tally(1, 1)) is None and rule.verdict(Tally(1, 1)) is True
    assert rule.failed(Tally(0, 7, 1)) is None and rule.verdict(Tally(0, 7, 1)) is None
    solved = CountRule(lowest=2, highest=4, n=4, name_low="tools")
    assert solved.failed(Tally(1, 3)) == "tools"


def test_the_published_rules_end_early() -> None:
    at_most_two = CountRule(lowest=0, highest=2, n=8)
    assert at_most_two.least(Tally(0, 0)) == 3
    assert at_most_two.least(Tally(0, 3)) == 3
    assert at_most_two.least(Tally(2, 1)) == 1
    assert at_most_two.least(Tally(2, 3, 3)) == 0  # all eight are drawn
    assert CountRule(lowest=1, highest=7, n=8).least(Tally(0, 0)) == 2


@pytest.mark.parametrize(
    ("lowest", "highest", "n", "sentence"),
    [
        (5, 2, 8, "at least 5 and at most 2 right leave nothing to keep"),
        (0, 0, 0, "a rule on 0 attempts decides nothing"),
        (0, 9, 8, "0 to 9 right of 8 attempts cannot be counted"),
        (-1, 2, 8, "-1 to 2 right of 8 attempts cannot be counted"),
    ],
)
def test_contradictory_rules_are_refused(lowest: int, highest: int, n: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CountRule(lowest=lowest, highest=highest, n=n)


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_enough_draws_up_to_the_attempt_that_brings_what_is_wanted(wanted: int) -> None:
    for outcomes in product((R, W, U), repeat=5):
        rule = Enough(wanted=wanted, n=5)
        drawn = in_waves(rule, outcomes)
        assert drawn == one_at_a_time(rule, outcomes)
        assert drawn.right == min(wanted, outcomes.count(R)) and rule.failed(drawn) is None
        assert rule.verdict(drawn) is (True if drawn.right == wanted else None)
