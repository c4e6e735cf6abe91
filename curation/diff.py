"""What changed from one run to another: verdicts, sample by sample, and settings of the recipe.

A sample's id is the hash of its content, so that it is the same sample in both, whatever its place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from curation.runs import Run

ABSENT = "–"
"""Stands for the fate of a sample, or the value of a setting, in the run that has none."""

_FATES = """
    SELECT sample_id, source, question, tally,
           CASE WHEN kept THEN coalesce('kept: ' || split, 'kept')
                WHEN kept IS NULL THEN 'no verdict'
                ELSE 'dropped: ' || array_to_string(failed, ', ') END AS fate
    FROM samples LEFT JOIN verdicts USING (sample_id) LEFT JOIN (
        SELECT sample_id, string_agg(
            arm || ' ' || correct || ' of ' || (correct + wrong + unscored), ', ' ORDER BY arm
        ) AS tally
        FROM counts GROUP BY sample_id
    ) USING (sample_id)
"""
_CHANGED = f"""
    CREATE TEMP TABLE changed AS
    SELECT sample_id, coalesce(ours.source, theirs.source) AS source,
           coalesce(ours.question, theirs.question) AS question,
           coalesce(ours.fate, '{ABSENT}') AS before, coalesce(theirs.fate, '{ABSENT}') AS after,
           coalesce(ours.tally, '{ABSENT}') AS tally_before,
           coalesce(theirs.tally, '{ABSENT}') AS tally_after
    FROM ({_FATES}) AS ours FULL JOIN theirs USING (sample_id)
    WHERE ours.fate IS DISTINCT FROM theirs.fate
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A sample whose fate differs; ABSENT where a run does not hold it."""

    sample_id: str
    source: str
    question: str
    before: str
    after: str
    tally_before: str
    """Right attempts of all that were made, arm by arm."""
    tally_after: str


@dataclass(frozen=True, slots=True)
class Diff:
    """From a run to another one."""

    settings: tuple[tuple[str, str, str], ...]
    """Keys of the recipes that differ, with both values."""
    moves: tuple[tuple[str, str, int], ...]
    """Fate before, fate after and how many samples went that way, frequent ones first."""
    changes: tuple[Change, ...]
    """At most so many samples as were asked for, in the order of `moves`."""
    same: int
    """Samples with the same fate in both."""

    @property
    def changed(self) -> int:
        return sum(count for _, _, count in self.moves)


def diff(before: Run, after: Run, *, rows: int | None = None) -> Diff:
    """Compare two runs, with at most `rows` changed samples, or all.

    Raises:
        RunError: a folder holds no run, or one that another version wrote.
    """
    with before.connect() as db, after.connect() as other:
        db.register("read", other.sql(_FATES).to_arrow_reader(1024))
        db.execute("CREATE TEMP TABLE theirs AS FROM read")
        db.execute(_CHANGED)
        return Diff(_settings(before, after), _moves(db), _changes(db, rows), _same(db))


def _moves(db: duckdb.DuckDBPyConnection) -> tuple[tuple[str, str, int], ...]:
    found = db.execute("""
        SELECT before, after, count(*) FROM changed
        GROUP BY ALL ORDER BY count(*) DESC, before, after
    """)
    return tuple(found.fetchall())


def _changes(db: duckdb.DuckDBPyConnection, rows: int | None) -> tuple[Change, ...]:
    limit = "" if rows is None else f"LIMIT {rows}"
    found = db.execute(f"""
        SELECT sample_id, source, question, before, after, tally_before, tally_after FROM changed
        ORDER BY count(*) OVER (PARTITION BY before, after) DESC, before, after, sample_id {limit}
    """)
    return tuple(Change(*row) for row in found.fetchall())


def _same(db: duckdb.DuckDBPyConnection) -> int:
    found = db.execute("""
        SELECT count(*) FROM theirs SEMI JOIN samples USING (sample_id)
        ANTI JOIN changed USING (sample_id)
    """)
    same: int = found.fetchall()[0][0]
    return same


def _settings(before: Run, after: Run) -> tuple[tuple[str, str, str], ...]:
    ours, theirs = _recipe(before), _recipe(after)
    return tuple(
        (key, ours.get(key, ABSENT), theirs.get(key, ABSENT))
        for key in dict.fromkeys((*ours, *theirs))
        if ours.get(key) != theirs.get(key)
    )


def _recipe(run: Run) -> dict[str, str]:
    """The resolved recipe as keys and values; nothing where the run has not begun."""
    if not run.recipe_path.exists():
        return {}
    return dict(_flat("", tomllib.loads(run.recipe_path.read_text(encoding="utf-8"))))


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}" if key else name, inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for place, table in enumerate(value):
            # Tables of a list are told apart by what they are called, not by where they stand.
            name = table.get("name") or table.get("target") or table.get("use") or place
            yield from _flat(f"{key}[{name}]", table)
    else:
        yield key, repr(value)
