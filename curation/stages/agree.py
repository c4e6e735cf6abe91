"""Agree: the judge is asked whether the thoughts of verified rollouts agree with what follows them.

What it says is journaled word by word, so that a kill costs the request in progress and no other.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from curation.errors import RequestError
from curation.graders.base import Grade
from curation.graders.judge import Judge
from curation.job import Job
from curation.rollouts.journal import Entry, Journal, Step
from curation.stage import (
    Count,
    PartWriter,
    Stage,
    failed_row,
    quarantine_writer,
    query_rows,
    to_json,
)
from curation.stages.draw import Failures, drive
from curation.stages.grade import judge_settings, open_judge
from curation.stages.verify import CHECKED, case_of
from curation.verification import Gallery, verification
from curation.verification.agreement import PROMPT_ID, Pairing, agreement
from schemas import Quarantined, Rollout, Turn, Verification
from schemas.arrow import from_dict

JUDGED = "arm <> 'solution'"
"""SQL: rollouts whose thoughts are judged; worked solutions are their sources' own words, and their
answer was cut out of them."""


def agree_stage(job: Job) -> Stage:
    """Rollouts that every check which costs nothing lets pass."""
    judge = job.recipe.judge
    assert judge is not None, "a recipe that asks for it has a judge"
    return Stage(
        name="agree",
        table="agreements",
        key="rollout_id",
        wanted=f"""SELECT rollouts.*, question, answers, answer_kind, image_ids, source
                   FROM rollouts SEMI JOIN ({CHECKED}) USING (rollout_id)
                   JOIN samples USING (sample_id) WHERE {JUDGED}""",
        settings=judge_settings(job, judge, PROMPT_ID),
    )


def agree(job: Job) -> Count:
    """Ask about every rollout once; `compose` concludes from what was said.

    Raises:
        StaleSettingsError: findings on disk are another judge's.
        ServerError: the judge is gone, or refuses every request.
        RunError: more than `max_failed_share` of the rollouts could not be judged.
    """
    stage = agree_stage(job)
    job.run.table(stage.table).check_settings(stage.name, stage.settings)
    if owed := job.owed(stage):
        asyncio.run(_agree(job, stage, owed))
    return job.count(stage)


async def _agree(job: Job, stage: Stage, owed: int) -> None:
    assert job.recipe.judge is not None
    async with AsyncExitStack() as stack:
        judge = await open_judge(job, job.recipe.judge, stack)
        journal = stack.enter_context(job.run.journal(stage.name))
        asker = Asker(job, judge, journal, stage)
        table = job.run.table(stage.table)
        writer = PartWriter(table, stage.name, stage.settings, written=asker.settle)
        stack.enter_context(writer)
        quarantine = stack.enter_context(quarantine_writer(job.run, stage.name))
        failures = Failures(stage.name, quarantine, job.recipe.max_failed_share)
        meter = stack.enter_context(job.reporter.stage(stage.name, owed, "rollouts"))

        async def work(row: dict[str, Any]) -> None:
            found = await asker.ask(row)
            writer.add(found if isinstance(found, list) else [])
            failures.note(1, [found] if isinstance(found, Quarantined) else [])
            meter.advance()

        rows = query_rows(job.run, f"SELECT wanted.* {stage.owed}", rows=64)
        await drive(rows, work, workers=job.recipe.judge.max_in_flight)
        failures.settle()


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks the judge about one rollout after the other."""

    job: Job
    judge: Judge
    journal: Journal
    stage: Stage

    async def ask(self, row: dict[str, Any]) -> list[Verification] | Quarantined:
        """What was found about one rollout, or why nothing was."""
        rollout = from_dict(Rollout, row)
        case = case_of(rollout, row, self.job.recipe, Gallery(self.job.run.images.read))
        rulings = Rulings(self.judge, self.journal, self._key(rollout.rollout_id))
        try:
            found = await agreement(case, rulings.rule)
        except RequestError as error:
            message = (
                f"rollout {rollout.rollout_id[:12]}: the judge could not be asked: {error};"
                " run again with --retry-quarantined"
            )
            return failed_row(
                self.stage.name, rollout.rollout_id, row["source"], "judge_failed", message
            )
        return [verification(rollout, check, finding) for check, finding in found.items()]

    def settle(self, rows: Sequence[Verification]) -> None:
        """Drop from the journal what is in the table."""
        self.journal.settle({self._key(row.rollout_id) for row in rows})

    def _key(self, rollout_id: str) -> str:
        """What the journal knows a rollout by: another judge's word on it is not recalled."""
        mark = hashlib.sha256(to_json(self.stage.settings).encode()).hexdigest()[:12]
        return f"{mark}/{rollout_id}"


@dataclass(slots=True)
class Rulings:
    """The judge's rulings about one rollout in their order, those that an earlier process heard
    among them."""

    judge: Judge
    journal: Journal
    key: str
    number: int = 0

    async def rule(self, pairing: Pairing) -> Grade:
        """As the journal has it, else as the judge says."""
        number, self.number = self.number, self.number + 1
        known = self.journal.recall(self.key)
        if number < len(known):
            return Grade(*json.loads(known[number].turn.text))
        grade = (await self.judge.rule(pairing)).grade
        said = Turn(to_json([grade.value, None, grade.explanation]), None, "stop", 0, 0)
        self.journal.note([Entry(self.key, number, Step(said, 0, 0))])
        return grade
