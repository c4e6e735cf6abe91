"""Solutions: worked solutions that sources bring become rollouts, graded and verified as any other.

They are asked in the prompt of the teachers' dialect, without an image: a model that is trained on
them answers such questions in words, where its prompt offers tools.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from curation.dialects import Answer, Dialect
from curation.graders.base import final_answer
from curation.job import Job
from curation.stage import Count, PartWriter, Stage, query_rows
from curation.stages.admit import SOLUTION
from curation.stages.decide import TEXT
from schemas import Author, Rollout, Turn

_THOUGHT = re.compile(r"\A\s*<think>(.*?)</think>(.*)\Z", re.DOTALL)


def solutions(job: Job) -> Count:
    """Write the rollouts of samples without an image; no model is asked."""
    teach = job.recipe.teach
    assert teach is not None, "the pipeline takes solutions only where the recipe teaches"
    dialect = job.recipe.dialect(teach.dialect)
    stage = solutions_stage(dialect)
    with (
        PartWriter(job.run.table(stage.table), stage.name, stage.settings) as writer,
        job.reporter.stage(stage.name, job.owed(stage), "solutions") as meter,
    ):
        for rollout in _rollouts(job, stage, dialect):
            writer.add([rollout])
            meter.advance()
    return job.count(stage)


def solutions_stage(dialect: Dialect) -> Stage:
    """One rollout a sample that brings its solution."""
    return Stage(
        name="solutions",
        table="rollouts",
        key="rollout_id",
        wanted=f"""
            SELECT sample_id, source, origin, license,
                   json_extract_string(metadata, '$.{SOLUTION}') AS solution,
                   sha256(concat_ws('/', sample_id, 'solution', '{dialect.name}')) AS rollout_id
            FROM samples JOIN verdicts USING (sample_id) WHERE split = '{TEXT}'
        """,
        settings={"dialect": dialect.name},
    )


def _rollouts(job: Job, stage: Stage, dialect: Dialect) -> Iterator[Rollout]:
    for row in query_rows(job.run, f"SELECT wanted.* {stage.owed}", rows=256):
        yield _rollout(row, dialect)


def _rollout(row: dict[str, Any], dialect: Dialect) -> Rollout:
    text = as_turn(row["solution"], dialect)
    said = dialect.parse(text)
    return Rollout(
        rollout_id=row["rollout_id"],
        sample_id=row["sample_id"],
        arm="solution",
        attempt=0,
        model=row["origin"],
        dialect=dialect.name,
        seed=0,
        turns=(Turn(text, None, "stop", 0, 0),),
        prediction=said.text if isinstance(said, Answer) else None,
        stop_reason="answered" if isinstance(said, Answer) else "parse_error",
        error=None,
        seconds=0.0,
        written_by=Author(row["source"], row["origin"], "source", row["license"]),
    )


def as_turn(solution: str, dialect: Dialect) -> str:
    """A solution as a turn of the dialect: as it is where it is one, else its thought and answer.

    The thought is what stands in `<think>`, or all of it; the answer what is boxed last, or what
    the last line says, as GSM8K's `#### 42`.
    """
    if isinstance(dialect.parse(solution), Answer):
        return solution.strip()
    found = _THOUGHT.match(solution)
    thought, conclusion = found.groups() if found else (solution, solution)
    if "\\boxed" not in conclusion:
        conclusion = (conclusion.strip().splitlines() or [""])[-1].lstrip("# ")
    answer = final_answer(conclusion)
    return f"<think>\n{thought.strip()}\n</think>\n<answer>{answer}</answer>"
