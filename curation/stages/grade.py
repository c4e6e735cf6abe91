"""Grade: every rollout gets a score, or an abstention with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.graders import grade as grade_answer
from curation.job import Job
from curation.stage import Count, PartWriter, Stage, batches, count_stage
from schemas import Score

STAGE = Stage(
    name="grade",
    table="scores",
    key="rollout_id",
    wanted="""SELECT rollout_id, rollouts.sample_id, prediction, answers, answer_kind, choices
              FROM rollouts JOIN samples USING (sample_id)""",
)


def grade(job: Job) -> Count:
    """Grade every rollout that has no score yet, of all arms."""
    with (
        PartWriter(job.run.table(STAGE.table), STAGE.name, {}, max_rows=16384) as scores,
        job.reporter.stage(STAGE.name, job.owed(STAGE), "rollouts") as meter,
    ):
        for batch in batches(job.run, f"SELECT wanted.* {STAGE.owed}"):
            scores.add([score(row) for row in batch.to_pylist()])
            meter.advance(batch.num_rows)
    return count_stage(job.run, STAGE)


def score(row: Mapping[str, Any]) -> Score:
    """Grade one prediction; without one there is nothing to grade, which is not a wrong answer."""
    graded = grade_answer(
        row["prediction"], row["answers"], kind=row["answer_kind"], choices=row["choices"]
    )
    return Score(
        rollout_id=row["rollout_id"],
        sample_id=row["sample_id"],
        grader=row["answer_kind"],
        value=graded.value,
        extracted=graded.extracted,
        explanation=graded.explanation,
    )
