"""Verify: every teacher rollout is checked, and what was run is run again."""

from __future__ import annotations

import asyncio
from typing import Any

from curation.actions import Workbench
from curation.job import Job
from curation.sandbox import open_sandbox
from curation.stage import Count, PartWriter, Stage, count_stage, query_rows
from curation.stages.count import RIGHT
from curation.stages.draw import drive
from curation.tools import toolbox
from curation.verification import (
    CORRECT,
    HOLDS,
    Finding,
    correct,
    error_free,
    grammar,
    replay,
    verification,
)
from schemas import Rollout, Verification
from schemas.arrow import from_dict

STAGE = Stage(
    name="verify",
    table="verifications",
    key="rollout_id",
    wanted="""SELECT rollouts.*, value, explanation, image_ids, origin_id
              FROM rollouts JOIN scores USING (rollout_id)
              JOIN samples ON samples.sample_id = rollouts.sample_id
              WHERE arm = 'teacher'""",
)

PASSED = f"""
    SELECT rollout_id FROM verifications GROUP BY rollout_id
    HAVING bool_and({HOLDS})
"""
"""SQL: rollouts that no check speaks against."""


def verify(job: Job) -> Count:
    """Check every teacher rollout that was not checked; kept are those that passed."""
    owed = job.owed(STAGE)
    if owed:
        asyncio.run(_verify(job, owed))
    checked = count_stage(job.run, STAGE)
    passed = job.run.value(f"SELECT count(*) FROM ({PASSED})")
    return Count(STAGE.name, checked.rows_in, passed, checked.rows_in - passed)


async def _verify(job: Job, owed: int) -> None:
    with (
        PartWriter(job.run.table(STAGE.table), STAGE.name, {}) as writer,
        job.reporter.stage(STAGE.name, owed, "rollouts") as meter,
    ):
        async with open_sandbox(job.recipe.sandbox) as sandbox:
            job.probes.update(sandbox.probes)
            spoken = job.recipe.teach.dialect if job.recipe.teach else ""
            tools, record = toolbox(spoken, job.recipe.tools), job.run.searches(frozen=True)
            workbench = Workbench(sandbox, tools, record=record)

            async def work(row: dict[str, Any]) -> None:
                writer.add(await findings(job, workbench, row))
                meter.advance()

            rows = query_rows(job.run, f"SELECT wanted.* {STAGE.owed}")
            await drive(rows, work, workers=8)


async def findings(job: Job, workbench: Workbench, row: dict[str, Any]) -> list[Verification]:
    """All checks of one rollout; it is run again only when nothing else speaks against it."""
    rollout = from_dict(Rollout, row)
    dialect = job.recipe.dialect(rollout.dialect)
    found = {
        "answered": Finding(rollout.stop_reason == "answered", rollout.stop_reason),
        CORRECT: correct(row["value"], row["explanation"], RIGHT),
        "error_free": error_free(rollout),
        "grammar": grammar(rollout, dialect),
    }
    if all(finding.passed for finding in found.values()):
        images = [job.run.images.path(image_id) for image_id in row["image_ids"]]
        async with workbench.bench(images, rollout.seed, row["origin_id"]) as bench:
            found["replay"] = await replay(rollout, dialect, bench)
    else:
        found["replay"] = Finding(None, "not run again: another check failed")
    return [verification(rollout, check, finding) for check, finding in found.items()]
