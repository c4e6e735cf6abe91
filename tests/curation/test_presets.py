"""The SQL of the presets against the rule objects that end attempts early."""

from __future__ import annotations

from itertools import product

import duckdb
import pytest

from curation.presets import PRESETS, Condition, counted, settled
from curation.rules import CountRule, Tally

PLANNED = dict.fromkeys(
    ("direct", "tools", "oracle_crop", "confirm_direct", "confirm_tools", "placebo"), 4
)


@pytest.fixture(scope="module")
def db() -> duckdb.DuckDBPyConnection:
    """Every tally of up to 4 attempts in one arm, as columns of the arm `direct`."""
    rows = [row for row in product(range(5), repeat=3) if sum(row) <= 4]
    db = duckdb.connect()
    db.execute("CREATE TABLE t (direct_right INT, direct_wrong INT, direct_unscored INT)")
    db.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    return db


RULES = [CountRule(lowest=low, highest=high, n=4) for low in range(5) for high in range(low, 5)]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_sql_and_rule_agree_on_every_tally(db: duckdb.DuckDBPyConnection, rule: CountRule) -> None:
    reason = counted("direct", rule).reason
    found = db.execute(f"SELECT *, {reason}, {settled('direct', rule)} FROM t").fetchall()
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
