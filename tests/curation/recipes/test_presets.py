"""The SQL of the presets against the rule objects that end attempts early."""

from __future__ import annotations

from itertools import product

import duckdb
import pytest

from curation.estimates.rules import CountRule, Rule, Tally
from curation.estimates.sequential import SequentialRule
from curation.recipes.presets import PRESETS, Condition, Screen, counted, settled

PLANNED = dict.fromkeys(
    ("direct", "tools", "oracle_crop", "confirm_direct", "confirm_tools", "placebo"), 64
)
MOST = 12
"""Attempts of the largest tally."""


@pytest.fixture(scope="module")
def db() -> duckdb.DuckDBPyConnection:
    """Every tally of up to MOST attempts in one arm, as columns of the arm `direct`."""
    rows = [row for row in product(range(MOST + 1), repeat=3) if sum(row) <= MOST]
    db = duckdb.connect()
    db.execute("CREATE TABLE t (direct_right INT, direct_wrong INT, direct_unscored INT)")
    db.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    return db


RULES: list[Rule] = [
    *(CountRule(lowest=low, highest=high, n=4) for low in range(5) for high in range(low, 5)),
    SequentialRule(highest=0.25, easy=0.9, error=0.1, n=12),
    SequentialRule(hard=0.1, lowest=0.75, highest=1, easy=1, error=0.1, n=11),
    SequentialRule(lowest=0.5, highest=1, easy=1, error=0.1, n=12),
    SequentialRule(hard=0.05, lowest=0.4, highest=0.6, easy=0.95, error=0.2, n=9),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_sql_and_rule_agree_on_every_tally(db: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    reason = counted("direct", rule).reason
    few = f"direct_right + direct_wrong + direct_unscored <= {rule.n}"
    found = db.execute(
        f"SELECT *, {reason}, {settled('direct', rule)} FROM t WHERE {few}"
    ).fetchall()
    assert {done for *_, done in found} == {True, False} or rule.least(Tally(0, 0)) == 0
    for right, wrong, unscored, why, done in found:
        tally = Tally(right, wrong, unscored)
        verdict = rule.verdict(tally)
        assert done is (verdict is not None)
        if verdict is None:
            assert why in (f"{rule.name_low}:unscored", f"{rule.name_high}:unscored")
        else:
            assert why == rule.failed(tally)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_settles_its_arms_in_the_order_in_which_they_are_run(name: str) -> None:
    preset = PRESETS[name]()
    conditions: list[Condition] = preset.conditions(PLANNED)
    arms = [condition.arm for condition in conditions if condition.arm]
    assert arms[0] == "direct" and set(arms) <= set(preset.needs())
    assert arms == [c.arm for c in conditions[: len(arms)]]  # estimates come last
    assert all(condition.rule for condition in conditions[: len(arms)])


def test_screen_ends_with_the_arm() -> None:
    (condition,) = Screen(error=0.1).conditions(PLANNED | {"direct": 48})
    assert condition.rule == SequentialRule(
        hard=0.05, lowest=0.25, highest=0.75, easy=0.95, error=0.1, n=48
    )
    with pytest.raises(
        ValueError, match=r"8 attempts leave an error of 0\.\d+, above 0\.05: raise n"
    ):
        Screen().conditions(PLANNED | {"direct": 8})
