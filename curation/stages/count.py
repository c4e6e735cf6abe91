"""Count: attempts by sample and arm, and what they say of difficulty and of tools.

Both tables are recomputed from rollouts and scores in every run; a new bound needs no model call.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from curation.estimates.benefit import benefit_of
from curation.estimates.intervals import pass_rate
from curation.job import Job
from curation.recipes.presets import Condition
from curation.recipes.recipe import Recipe
from curation.stage import Count, remake, text_of
from schemas import Benefit, to_table
from schemas.rollout import ARMS, TEACHING

RIGHT = 0.5
"""A score above this is right, as in DeepEyes' reward (`vl_agent.py`: acc > 0.5)."""

MEASURED = tuple(arm for arm in ARMS if arm not in TEACHING)
_FIGURES = {
    "drawn": "drawn",
    "right": "correct",
    "wrong": "wrong",
    "unscored": "unscored",
    "called": "called",
    "called_right": "called_correct",
    "called_wrong": "called_wrong",
}
"""Suffix of a column of `tallies`, and the column of `counts` that it is made from."""
_CALLED = "turns[1].call IS NOT NULL"


def benefit(job: Job) -> Count:
    """Count the attempts at every screened sample, and estimate from the counts."""
    remake(job.run, "counts", counts_sql(job.recipe))
    remake(job.run, "benefits", _TALLIED, _benefits, by=text_of(benefit_of, pass_rate))
    kept = job.run.value("SELECT count(*) FROM screens WHERE kept")
    return Count("benefit", kept, job.run.value("SELECT count(*) FROM benefits")).check()


def counts_sql(recipe: Recipe) -> str:
    """One row a kept sample and arm that is asked about it; attempts beyond the recipe's n, of an
    earlier recipe, do not count."""
    arms = recipe.arms.run()
    planned = ", ".join(f"('{name}', {arm.n})" for name, arm in arms.items())
    rows = " UNION ALL ".join(_rows(recipe, name, arm.n) for name, arm in arms.items())
    return f"""
        WITH made AS (
            SELECT rollouts.sample_id, arm, count(*) AS drawn,
                   count(*) FILTER (value > {RIGHT}) AS correct,
                   count(*) FILTER (value <= {RIGHT}) AS wrong,
                   count(*) FILTER (value IS NULL) AS unscored,
                   count(*) FILTER ({_CALLED}) AS called,
                   count(*) FILTER ({_CALLED} AND value > {RIGHT}) AS called_correct,
                   count(*) FILTER ({_CALLED} AND value <= {RIGHT}) AS called_wrong
            FROM rollouts LEFT JOIN scores USING (rollout_id)
            JOIN (VALUES {planned}) AS planned(arm, n) USING (arm)
            WHERE attempt < n GROUP BY ALL
        ), tallies AS ({tallies("made")})
        FROM ({rows}) ORDER BY sample_id, arm
    """


def _rows(recipe: Recipe, name: str, n: int) -> str:
    figures = ", ".join(f"{name}_{suffix} AS {column}" for suffix, column in _FIGURES.items())
    return f"""
        SELECT sample_id, '{name}' AS arm, {n} AS planned, {figures}
        FROM tallies JOIN samples USING (sample_id)
        WHERE ({asked(recipe, name)}) OR {name}_drawn > 0
    """


def tallies(counts: str) -> str:
    """SQL: one row a kept sample, with the counts of every arm side by side (`tools_right`, ...);
    0 where an arm was not run."""
    columns = ", ".join(
        f"coalesce({arm}.{column}, 0) AS {arm}_{suffix}"
        for arm in MEASURED
        for suffix, column in _FIGURES.items()
    )
    # A join an arm: sums of all these columns by sample would not fit into DuckDB's memory.
    joins = " ".join(
        f"LEFT JOIN (FROM {counts} WHERE arm = '{arm}') AS {arm}"
        f" ON {arm}.sample_id = screens.sample_id"
        for arm in MEASURED
    )
    return f"SELECT screens.sample_id, {columns} FROM screens {joins} WHERE screens.kept"


def asked(recipe: Recipe, name: str) -> str:
    """SQL over `tallies` and `samples`: whether an arm tries the sample."""
    if name == "direct":
        return "true"
    evidence = "len(evidence) > 0" if name == "oracle_crop" else "true"
    scope = recipe.arms.run()[name].scope
    if scope == "all":
        return evidence
    first = [c for c in recipe.preset.conditions(recipe.arms.planned()) if c.arm is not None]
    if scope == "undecided":
        return f"{evidence} AND {holds([c for c in first if c.arm == 'direct'])}"
    return f"{evidence} AND {holds(first)} AND {recipe.preset.split()} = 'rl'"


def holds(conditions: list[Condition]) -> str:
    """SQL: none of the conditions drops the sample."""
    return " AND ".join(f"({c.reason}) IS NULL" for c in conditions) or "true"


_SCORED = [f"{arm}_{part}" for arm in MEASURED for part in ("right", "wrong", "unscored")]
_TALLIED = f"SELECT sample_id, {', '.join(_SCORED)} FROM ({tallies('counts')}) ORDER BY sample_id"


def _benefits(tallied: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Samples with the same counts have the same benefit: few of them differ."""
    for batch in tallied:
        counted = np.column_stack([batch.column(name) for name in _SCORED])
        different, places = np.unique(counted, axis=0, return_inverse=True)
        rows = (dict(zip(_SCORED, row, strict=True)) for row in different.tolist())
        made = to_table(Benefit, (benefit_of({"sample_id": "", **row}) for row in rows))
        yield made.take(places).set_column(0, "sample_id", batch.column("sample_id"))
