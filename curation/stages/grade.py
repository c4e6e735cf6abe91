"""Grade: every rollout gets a score, or an abstention with its reason.

Rules decide first. A judge model, where the recipe names one, is asked for what they leave open.
Equal predictions at a sample are graded once.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from curation.errors import RequestError
from curation.graders import JUDGE
from curation.graders.assigned import Graders
from curation.graders.judge import PROMPT_ID, Case, Judge
from curation.graders.judgement import Ruling
from curation.job import Job
from curation.models import Sampling
from curation.progress import Meter
from curation.recipes.models import JudgeModel
from curation.runs import Run
from curation.stage import (
    Count,
    PartWriter,
    Stage,
    batches,
    failed_row,
    quarantine_writer,
)
from curation.stages.draw import Failures, drive
from schemas import Quarantined, Score

Answer = Mapping[str, Any]
"""A sample's columns with one `prediction` at it and the `rollout_ids` that made it."""
_PIECE = 512
"""Answers in one piece of work: about a tenth of a second of a core."""


def grade(job: Job) -> Count:
    """Grade every rollout that has no score yet, of all arms.

    Raises:
        StaleSettingsError: scores on disk were given by other graders or another judge.
        ServerError: the judge is gone, or refuses every request.
        RunError: more than `max_failed_share` of the rollouts could not be judged.
    """
    stage = grade_stage(job)
    job.run.table(stage.table).check_settings(
        stage.name, stage.settings, mend=f"`toolsight grade {job.run.path}` gives all scores anew"
    )
    return grade_owed(job, stage)


def grade_stage(job: Job, *, name: str = "grade", table: str = "scores") -> Stage:
    """All rollouts; the settings are what a score depends on beside the answer."""
    graders, judge = job.recipe.graders, job.recipe.judge
    settings: dict[str, Any] = {}
    if chosen := graders.only or graders.assigned:
        settings["graders"] = chosen
    if judge is not None:
        settings |= judge_settings(job, judge, PROMPT_ID)
    wanted = "SELECT rollout_id, sample_id, prediction FROM rollouts"
    return Stage(name=name, table=table, key="rollout_id", wanted=wanted, settings=settings)


def judge_settings(job: Job, judge: JudgeModel, prompt: str) -> dict[str, Any]:
    """What a judge's word depends on; `prompt` is the identity of what it is told."""
    return {
        "judge": job.identity(judge),
        "prompt": prompt,
        "attempts": judge.attempts,
        "agreement": judge.agreement,
        "max_chars": judge.max_chars,
        "temperature": judge.temperature,
        "top_p": judge.top_p,
        "max_tokens": judge.max_tokens,
    }


def grade_owed(job: Job, stage: Stage) -> Count:
    """Write the scores that a stage owes."""
    if owed := job.owed(stage):
        table = job.run.table(stage.table)
        with (
            PartWriter(table, stage.name, stage.settings, max_rows=16384) as scores,
            job.reporter.stage(stage.name, owed, "rollouts") as meter,
        ):
            answers = _answers(job.run, stage, owed)
            if job.recipe.judge is None:
                _grade_by_rules(job, answers, scores, meter)
            else:
                asyncio.run(_grade(job, job.recipe.judge, stage, answers, scores, meter))
    return job.count(stage)


def _grade_by_rules(
    job: Job, answers: Iterator[list[Answer]], scores: PartWriter, meter: Meter
) -> None:
    work = functools.partial(scored, job.recipe.graders)
    for found in job.task_runner().map(work, answers):
        scores.add(found)
        meter.advance(len(found))


def scored(graders: Graders, answers: Sequence[Answer]) -> list[Score]:
    """A score for every rollout that made one of the answers, by rules alone."""
    return [score for each in answers for score in by_rules(graders, each).scores(each)]


async def _grade(
    job: Job,
    model: JudgeModel,
    stage: Stage,
    answers: Iterator[list[Answer]],
    scores: PartWriter,
    meter: Meter,
) -> None:
    async with AsyncExitStack() as stack:
        judge = await open_judge(job, model, stack)
        quarantine = stack.enter_context(quarantine_writer(job.run, stage.name))
        failures = Failures(stage.name, quarantine, job.recipe.max_failed_share)

        async def work(answer: Answer) -> None:
            ruled = await rule(answer, job.recipe.graders, judge)
            scores.add(ruled.scores(answer))
            failures.note(len(answer["rollout_ids"]), ruled.failures(answer, stage.name))
            meter.advance(len(answer["rollout_ids"]))

        await drive(chain.from_iterable(answers), work, workers=2 * model.max_in_flight)
        failures.settle()
        usage = judge.client.usage
        tokens = usage.prompt_tokens + usage.completion_tokens
        job.reporter.say(f"judge: {usage.requests} requests, {tokens} tokens")


async def open_judge(job: Job, model: JudgeModel, stack: AsyncExitStack) -> Judge:
    """The recipe's judge with an open client."""
    client = job.client(model)
    return Judge(
        client=await stack.enter_async_context(client),
        sampling=Sampling(
            temperature=model.temperature, top_p=model.top_p, max_tokens=model.max_tokens
        ),
        attempts=model.attempts,
        agreement=model.agreement,
        max_chars=model.max_chars,
    )


def _answers(run: Run, stage: Stage, owed: int) -> Iterator[list[Answer]]:
    """What is owed, equal predictions at a sample together, some hundreds at a time.

    DuckDB holds lists in memory, so only about a million rollouts are gathered at a time.
    """
    parts = 1 + owed // 2**20
    for part in range(parts):
        sql = f"""
            SELECT samples.sample_id, source, question, answers, answer_kind, choices,
                   prediction, rollout_ids
            FROM (
                SELECT wanted.sample_id, wanted.prediction, list(wanted.rollout_id) AS rollout_ids
                {stage.owed} WHERE hash(wanted.sample_id) % {parts} = {part}
                GROUP BY wanted.sample_id, wanted.prediction
            ) JOIN samples USING (sample_id)
        """
        for batch in batches(run, sql, rows=_PIECE):
            yield batch.to_pylist()


@dataclass(frozen=True, slots=True)
class Ruled:
    """Who decided about an answer and what; or why nobody did."""

    grader: str
    ruling: Ruling | None
    """Null where the judge could not be asked: the rollouts go to quarantine and stay unscored."""
    error: str = ""

    @property
    def decided(self) -> bool:
        return self.ruling is not None and self.ruling.grade.value is not None

    def scores(self, answer: Answer) -> list[Score]:
        if self.ruling is None:
            return []
        one = Score(
            rollout_id="",
            sample_id=answer["sample_id"],
            grader=self.grader,
            value=self.ruling.grade.value,
            extracted=self.ruling.grade.extracted,
            explanation=self.ruling.grade.explanation,
            judgements=self.ruling.judgements,
            agreement=self.ruling.agreement,
        )
        return [replace(one, rollout_id=rollout_id) for rollout_id in answer["rollout_ids"]]

    def failures(self, answer: Answer, stage: str) -> list[Quarantined]:
        if self.ruling is not None:
            return []
        about = {"sample_id": answer["sample_id"], "prediction": answer["prediction"]}
        message = (
            f"unscored, since the judge could not be asked about sample"
            f" {answer['sample_id'][:12]}: {self.error}; run again with --retry-quarantined"
        )
        return [
            failed_row(stage, rollout_id, answer["source"], "judge_failed", message, **about)
            for rollout_id in answer["rollout_ids"]
        ]


def by_rules(graders: Graders, answer: Answer) -> Ruled:
    """Grade without asking anybody."""
    kind = answer["answer_kind"]
    found = graders.grade(answer["prediction"], answer["answers"], kind, answer["choices"])
    return Ruled(graders.of(kind), Ruling(found))


async def rule(answer: Answer, graders: Graders, judge: Judge) -> Ruled:
    """Grade by rules, and ask the judge about an answer that they leave open."""
    ruled, said = by_rules(graders, answer), answer["prediction"]
    if ruled.decided or not (said or "").strip():
        await asyncio.sleep(0)  # Replies to the requests in flight come in meanwhile.
        return replace(ruled, grader="text") if ruled.grader == JUDGE else ruled
    case = Case(answer["question"], answer["answers"], answer["choices"], said)
    try:
        return Ruled(JUDGE, await judge.rule(case))
    except RequestError as error:
        return Ruled(JUDGE, None, str(error))
