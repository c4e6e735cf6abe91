"""Support: verified rollouts are asked for their answer again, without what they observed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from curation.dialects import Answer
from curation.errors import RequestError
from curation.job import Job
from curation.models import ModelClient
from curation.rollouts.sampler import Sampler, sample_seed
from curation.stage import Count, PartWriter, Stage, failed_row, quarantine_writer
from curation.stage import query_rows as rows_of
from curation.stages.count import RIGHT
from curation.stages.draw import drive
from curation.stages.verify import CHECKED, case_of
from curation.stages.voices import Voice, voices_of
from curation.verification import Case, Gallery
from curation.verification.support import Observation, asked_again, blanked, swapped
from schemas import Quarantined, Rollout, Support, ToolCall
from schemas.arrow import from_dict

_CALLS = """list_transform(list_filter(turns, lambda turn: turn.call IS NOT NULL),
                           lambda turn: turn.call)"""


def support_stage(voice: Voice, attempts: int) -> Stage:
    """Checked rollouts of a teacher with an action; each is lent the observations of the next
    sample's.

    A donor has as many actions in the same dialect, so that the turns stay in step.
    """
    return Stage(
        name=voice.part.replace("teacher", "support", 1),
        table="supports",
        key="rollout_id",
        wanted=f"""
            SELECT rollouts.*, question, answers, answer_kind, choices, image_ids, source, donor
            FROM (
                SELECT *, lead(calls) OVER alike AS next, first_value(calls) OVER alike AS first,
                       lead(sample_id) OVER alike AS next_id,
                       first_value(sample_id) OVER alike AS first_id,
                       CASE WHEN next_id <> sample_id THEN next
                            WHEN first_id <> sample_id THEN first END AS donor
                FROM (SELECT *, {_CALLS} AS calls
                      FROM rollouts SEMI JOIN ({CHECKED}) USING (rollout_id))
                WHERE len(calls) > 0
                WINDOW alike AS (PARTITION BY dialect, len(calls) ORDER BY sample_id, rollout_id)
            ) AS rollouts JOIN samples USING (sample_id)
            WHERE written_by.teacher = '{voice.name}'
        """,
        settings={**voice.sampler.settings, "attempts": attempts},
    )


def support(job: Job) -> Count:
    """Ask every teacher again; what it answers is counted, and `compose` decides.

    Raises:
        StaleSettingsError: counts on disk were sampled otherwise.
    """
    teach = job.recipe.teach
    assert teach is not None, "the pipeline asks for support only where the recipe teaches"
    voices = voices_of(job.recipe, "teacher", job.identity)
    counts = [_supported(job, voice, teach.support) for voice in voices]
    rows = [sum(getattr(count, name) for count in counts) for name in _FIGURES]
    return Count("support", *rows)


_FIGURES = ("rows_in", "kept", "dropped", "quarantined")


def _supported(job: Job, voice: Voice, attempts: int) -> Count:
    stage = support_stage(voice, attempts)
    job.run.table(stage.table).check_settings(stage.name, stage.settings)
    if owed := job.owed(stage):
        asyncio.run(_support(job, voice.kept(job.run.images), stage, owed))
    return job.count(stage)


async def _support(job: Job, voice: Voice, stage: Stage, owed: int) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(job.client(voice.model))
        table = job.run.table(stage.table)
        writer = stack.enter_context(PartWriter(table, stage.name, stage.settings))
        quarantine = stack.enter_context(quarantine_writer(job.run, stage.name))
        meter = stack.enter_context(job.reporter.stage(stage.name, owed, "rollouts"))
        asker = Asker(job, client, voice.sampler, stage.name, stage.settings["attempts"])

        async def work(row: dict[str, Any]) -> None:
            outcome = await asker.ask(row)
            (writer if isinstance(outcome, Support) else quarantine).add([outcome])
            meter.advance()

        rows = rows_of(job.run, f"SELECT wanted.* {stage.owed}", rows=64)
        await drive(rows, work, workers=voice.model.max_in_flight)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks for answers without the observations that led to them."""

    job: Job
    client: ModelClient
    sampler: Sampler
    stage: str
    attempts: int

    async def ask(self, row: dict[str, Any]) -> Support | Quarantined:
        """The counts of one rollout, or why there are none."""
        store = self.job.run.images
        case = case_of(from_dict(Rollout, row), row, self.job.recipe, Gallery(store.read))
        donor = [from_dict(ToolCall, call) for call in row["donor"] or ()]
        try:
            blank = await self._counts(case, row, blanked(case, store.put))
            other = await self._counts(case, row, swapped(donor)) if donor else (0, 0)
        except RequestError as error:
            message = f"rollout {row['rollout_id'][:12]}: {error}; run with --retry-quarantined"
            return failed_row(
                self.stage, row["rollout_id"], row["source"], "request_failed", message
            )
        return Support(row["rollout_id"], row["sample_id"], *blank, *other)

    async def _counts(
        self, case: Case, row: dict[str, Any], observations: Iterable[Observation]
    ) -> tuple[int, int]:
        """Scored and right answers; a reply that asks for another action has not answered."""
        opening = self.sampler.opening(case.question, len(case.image_ids))
        messages, image_ids = asked_again(case, opening, list(observations))
        seed = sample_seed(self.sampler.seed, "support", row["rollout_id"])
        completion = await self.client.complete(
            messages,
            [
                *self.sampler.wording.images,
                *(self.job.run.images.path(image_id) for image_id in image_ids),
            ],
            self.sampler.sampling(self.attempts, seed),
            affinity=row["sample_id"],
        )
        values = [self._value(reply.text, row) for reply in completion.replies]
        return len(values) - values.count(None), sum((value or 0) > RIGHT for value in values)

    def _value(self, reply: str, row: dict[str, Any]) -> float | None:
        action = self.sampler.dialect.parse(reply)
        if not isinstance(action, Answer):
            return 0.0
        graders = self.job.recipe.graders
        return graders.grade(action.text, row["answers"], row["answer_kind"], row["choices"]).value
