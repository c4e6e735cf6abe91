"""Figures of a run, held against its tables."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from curation.look import facts
from curation.runs import Run


@pytest.fixture
def db(world: Run) -> Iterator[duckdb.DuckDBPyConnection]:
    with world.connect() as connected:
        yield connected


def test_every_verdict_is_counted_once_and_kept_ones_come_first(
    world: Run, db: duckdb.DuckDBPyConnection
) -> None:
    rows = facts.fates(db).fetchall()
    assert sum(count for _, _, count in rows) == world.value("SELECT count(*) FROM verdicts")
    kept = [fate.startswith("kept") for fate, _, _ in rows]
    assert kept == sorted(kept, reverse=True)


def test_reasons_come_with_ids_of_samples_that_fail_for_them(
    world: Run, db: duckdb.DuckDBPyConnection
) -> None:
    rows = facts.reasons(db).to_arrow_table().to_pylist()
    dropped = world.value("SELECT count(*) FROM verdicts WHERE NOT kept")
    assert sum(row["dropped"] for row in rows) == dropped
    for row in rows:
        failing = db.execute(
            "SELECT sample_id FROM verdicts WHERE list_contains(failed, $1)", [row["rule"]]
        ).fetchall()
        assert 1 <= len(row["examples"]) <= 3
        assert {(name,) for name in row["examples"]} <= set(failing)


def test_a_complaint_of_a_tool_is_told_apart(world: Run, db: duckdb.DuckDBPyConnection) -> None:
    calls = {(tool, arm): count for tool, arm, count in facts.tools(db).fetchall()}
    assert calls[("python: error", "teacher")] > 0
    assert ("python", "direct") not in calls
    assert sum(calls.values()) == world.value("""
        SELECT sum(len(list_filter(turns, lambda t: t.call IS NOT NULL)))::INT FROM rollouts
    """)


def test_a_reply_counts_under_the_power_of_two_below_its_tokens(
    world: Run, db: duckdb.DuckDBPyConnection
) -> None:
    powers = {power for _, power, _, _ in facts.lengths(db).fetchall()}
    least, most = world.value("""
        SELECT [min(tokens), max(tokens)]
        FROM (SELECT unnest(turns).completion_tokens AS tokens FROM rollouts)
    """)
    assert 2 ** min(powers) <= max(least, 1) and most < 2 ** (max(powers) + 1)


def test_only_arms_with_several_turns_have_a_chart_of_them(db: duckdb.DuckDBPyConnection) -> None:
    assert {arm for arm, *_ in facts.turns(db).fetchall()} == {"teacher", "tools"}


def test_of_many_intervals_evenly_spaced_ones_are_shown(
    db: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = facts.benefits(db).fetchall()
    monkeypatch.setattr(facts, "SHOWN_INTERVALS", 2)
    thinned = facts.benefits(db).fetchall()
    sources = {source for source, *_ in whole}
    assert sources and len(thinned) < len(whole)
    for source in sources:
        assert sum(row[0] == source for row in thinned) <= 2
    assert set(thinned) <= set(whole)


def test_benefits_lie_in_their_intervals(db: duckdb.DuckDBPyConnection) -> None:
    rows = facts.benefits(db).fetchall()
    assert rows and all(low <= benefit <= high for _, low, benefit, high in rows)
