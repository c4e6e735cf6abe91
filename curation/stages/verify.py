"""Verify: every teacher rollout is checked, and what was run is run again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from curation.errors import StaleSettingsError
from curation.job import Job
from curation.recipes.recipe import Recipe
from curation.rollouts.actions import Workbench
from curation.sandbox import CodeSandbox
from curation.stage import Count, PartWriter, Stage, query_rows
from curation.stages.count import RIGHT
from curation.stages.draw import drive
from curation.tools import toolbox
from curation.verification import (
    CHECKS,
    CORRECT,
    HOLDS,
    LATER,
    Case,
    Gallery,
    correct,
    error_free,
    examine,
    names_sql,
    replay,
    verification,
)
from schemas import Rollout, Verification
from schemas.arrow import from_dict
from schemas.rollout import TEACHING

CHECKED = f"""
    SELECT rollout_id FROM verifications WHERE "check" NOT IN {names_sql(LATER)}
    GROUP BY rollout_id HAVING bool_and({HOLDS})
"""
"""SQL: rollouts that nothing speaks against when they are looked at one by one."""
WORKERS = 8
"""Rollouts that are checked at a time; most of the time of one is its sandbox session."""

PASSED = f"""
    SELECT rollout_id FROM verifications GROUP BY rollout_id HAVING bool_and({HOLDS})
"""
"""SQL: rollouts that no check speaks against."""


def verify_stage(recipe: Recipe) -> Stage:
    """The teacher rollouts to be checked, and what shapes a finding."""
    errors = recipe.teach.error_turns if recipe.teach else ""
    return Stage(
        name="verify",
        table="verifications",
        key="rollout_id",
        wanted=f"""SELECT rollouts.*, value, explanation, question, answers, answer_kind, image_ids,
                         origin_id
                  FROM rollouts JOIN scores USING (rollout_id)
                  JOIN samples ON samples.sample_id = rollouts.sample_id
                  WHERE arm IN {names_sql(TEACHING)}""",
        settings={"checks": list(CHECKS), "error_turns": errors},
    )


def verify(job: Job) -> Count:
    """Check every teacher rollout that was not checked; kept are those that passed.

    Findings of other checks, or under another policy, are made again: no model was paid for them.
    """
    stage = verify_stage(job.recipe)
    table = job.run.table(stage.table)
    try:
        table.check_settings(stage.name, stage.settings)
    except StaleSettingsError:
        table.clear()
    owed = job.owed(stage)
    if owed:
        asyncio.run(_verify(job, stage, owed))
    checked = job.count(stage)
    passed = job.run.value(f"SELECT count(*) FROM ({CHECKED})")
    return Count(stage.name, checked.rows_in, passed, checked.rows_in - passed)


async def _verify(job: Job, stage: Stage, owed: int) -> None:
    with (
        PartWriter(job.run.table(stage.table), stage.name, stage.settings) as writer,
        job.reporter.stage(stage.name, owed, "rollouts") as meter,
    ):
        async with job.sandbox() as sandbox:
            job.log.probes.update(sandbox.probes)
            verifier = Verifier.of(job, sandbox)

            async def work(row: dict[str, Any]) -> None:
                writer.add(await verifier.findings(from_dict(Rollout, row), row))
                meter.advance()

            # Attempts at one sample follow each other, so that its image is decoded once.
            ordered = f"SELECT wanted.* {stage.owed} ORDER BY wanted.sample_id, wanted.rollout_id"
            await drive(query_rows(job.run, ordered), work, workers=WORKERS)


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks the rollouts of a run."""

    job: Job
    workbench: Workbench
    """Without tools: each rollout is given those of its dialect."""
    gallery: Gallery

    @classmethod
    def of(cls, job: Job, sandbox: CodeSandbox) -> Verifier:
        """One that runs actions again in a sandbox, and searches from the run's record alone."""
        workbench = Workbench(sandbox, {}, record=job.run.searches(frozen=True))
        return cls(job, workbench, Gallery(job.run.images.read))

    async def findings(self, rollout: Rollout, row: Mapping[str, Any]) -> list[Verification]:
        """All checks of one rollout, whatever the others say: every reason is shown.

        row: its sample, with the `value` and `explanation` of its score
        """
        case = case_of(rollout, row, self.job.recipe, self.gallery)
        teach = self.job.recipe.teach
        found = {
            CORRECT: correct(row["value"], row["explanation"], RIGHT),
            "error_free": error_free(case, error_turns=teach.error_turns if teach else "drop"),
            **examine(case),
        }
        images = [self.job.run.images.path(image_id) for image_id in case.image_ids]
        tools = toolbox(rollout.dialect, self.job.recipe.tools)
        workbench = replace(self.workbench, tools=tools)
        async with workbench.bench(images, rollout.seed, row["origin_id"]) as bench:
            found["replay"] = await replay(case, bench)
        return [verification(rollout, check, finding) for check, finding in found.items()]


def case_of(rollout: Rollout, sample: Mapping[str, Any], recipe: Recipe, gallery: Gallery) -> Case:
    """A rollout under check; of its sample, question, answers, answer_kind and image_ids."""
    return Case(
        rollout=rollout,
        dialect=recipe.dialect(rollout.dialect),
        question=sample["question"],
        answers=tuple(sample["answers"]),
        image_ids=tuple(sample["image_ids"]),
        gallery=gallery,
        answer_kind=sample["answer_kind"],
    )
