"""Grade again: new scores for every rollout, in place of the old ones all at once.

New scores are gathered in a table of their own, so that a judge that was asked before a kill is
not asked again, and the old ones are whole until the new ones are.
"""

from __future__ import annotations

from curation.errors import RunError, StaleSettingsError
from curation.job import Job
from curation.runs import Run
from curation.stage import Count, Stage, batches
from curation.stages.count import RIGHT
from curation.stages.decide import decide
from curation.stages.grade import grade_owed, grade_stage

_STAGE = "regrade"


def _outcome(table: str) -> str:
    """SQL: what a score comes to."""
    return f"""CASE WHEN {table}.value IS NULL THEN 'unscored'
               WHEN {table}.value > {RIGHT} THEN 'right' ELSE 'wrong' END"""


_CHANGED = f"""
    SELECT * FROM (
        SELECT rollout_id, {_outcome("scores")} AS before, {_outcome("regrades")} AS after
        FROM scores FULL JOIN regrades USING (rollout_id)
    ) WHERE before <> after
"""
"""SQL: rollouts with another outcome than before."""


def regrade(job: Job) -> Count:
    """Replace all scores; what the judge could not be asked about is owed to the next run.

    Raises:
        RunError: there is nothing to grade; see `grade` for the others.
    """
    if not job.run.table("rollouts").parts():
        raise RunError(f"{job.run.path} holds no rollouts: `toolsight run` makes them")
    stage = grade_stage(job, name=_STAGE, table="regrades")
    _forget_others(job.run, stage)
    count = grade_owed(job, stage)
    job.reporter.say(_told(job.run))
    _replace(job.run, stage)
    return count


def _forget_others(run: Run, stage: Stage) -> None:
    """A session that was killed may have left scores of other graders."""
    table = run.table(stage.table)
    try:
        table.check_settings(stage.name, stage.settings)
    except StaleSettingsError:
        _forget(run)


def _forget(run: Run) -> None:
    run.table("regrades").clear()
    run.table("quarantine").clear(_STAGE)


def _told(run: Run) -> str:
    """How many outcomes changed, and how."""
    with run.connect() as db:
        rows = db.execute(
            f"SELECT before, after, count(*) FROM ({_CHANGED}) GROUP BY ALL ORDER BY 3 DESC, 1, 2"
        ).fetchall()
    total = run.value("SELECT count(*) FROM regrades")
    how = ", ".join(f"{count:,} {before} -> {after}" for before, after, count in rows)
    changed = sum(count for *_, count in rows)
    return f"changed: {changed:,} of {total:,} scores" + (f" ({how})" if how else "")


def _replace(run: Run, stage: Stage) -> None:
    """Swap the scores. A kill between two of these steps costs work, never truth: whatever has
    no row is owed."""
    if run.value(f"SELECT count(*) FROM verifications SEMI JOIN ({_CHANGED}) USING (rollout_id)"):
        run.table("verifications").clear()  # found anew by the next run, without a model call
    run.table("quarantine").clear("grade")
    run.table("scores").supersede("grade", batches(run, "FROM regrades"), stage.settings)
    _forget(run)


def decide_again(job: Job) -> Count:
    """Decide from the new scores, and tell how many verdicts are other than before."""
    with job.run.connect() as db:
        # The view reads the table's one file anew after it was replaced.
        db.execute("CREATE TABLE before AS SELECT sample_id, split, dropped_by FROM verdicts")
        count = decide(job)
        row = db.execute("""
            SELECT count(*) FROM before JOIN verdicts USING (sample_id)
            WHERE before.split IS DISTINCT FROM verdicts.split
               OR before.dropped_by IS DISTINCT FROM verdicts.dropped_by
        """).fetchone()
    assert row is not None
    job.reporter.say(f"changed: {row[0]:,} of {count.rows_in:,} verdicts")
    return count
