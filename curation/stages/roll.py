"""Roll: attempts of a model at samples, in one of the arms, as many at once as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from curation.errors import RecipeError, RunError
from curation.estimates.rules import Enough, Rule, Tally
from curation.images import crop
from curation.job import Job
from curation.recipes.presets import settled
from curation.recipes.recipe import Arm, Recipe
from curation.rollouts.actions import Workbench
from curation.rollouts.arms import treatment
from curation.rollouts.conversation import Unit
from curation.rollouts.guided import GuidedRoller
from curation.rollouts.journal import Journal
from curation.rollouts.loop import Roller
from curation.rollouts.sampler import Sampler
from curation.rollouts.speakers import Rolls, Speakers
from curation.runs import Run
from curation.sandbox import CodeSandbox
from curation.stage import Count, PartWriter, Stage, quarantine_writer, query_rows
from curation.stages.count import RIGHT, asked, tallies
from curation.stages.draw import Draw, Failures, Owed, Sink, Values, ahead, drive, graded
from curation.stages.grade import grade
from curation.stages.reject import Verdicts, drawn_sql
from curation.stages.verify import Verifier, verify
from curation.stages.voices import (
    Voice,
    arm_of,
    attempts_sql,
    rollout_sql,
    speaker_sql,
    voices_of,
)
from curation.tables import write_text
from curation.tools import toolbox
from schemas import Box, Quarantined, Rollout
from schemas.rollout import TEACHING

_AHEAD = 256
"""Samples whose images are looked up, and cropped, while earlier ones are asked about."""


def roll(job: Job, name: str) -> Count:
    """Make the owed rollouts of an arm; `name` is one of `schemas.rollout.ARMS`.

    The unit is the attempt: kept are those on disk, dropped those that a settled verdict did not
    need.

    Raises:
        RecipeError: the recipe crops to evidence, and no sample has any.
        StaleSettingsError: rollouts on disk were sampled otherwise.
        RunError: more than `max_failed_share` of the attempts failed.
        CapReached: attempts are still owed, and the budget is spent.
        ServerError: the model's servers are gone.
    """
    check_boxes(job)
    arm, voices = arm_of(job.recipe, name), voices_of(job.recipe, name, job.identity)
    rule = stop_rule(job.recipe, name)
    stage = roll_stage(job.recipe, voices, arm.n, rule)
    for voice in voices:
        job.run.table(stage.table).check_settings(voice.part, voice.sampler.settings)
    if rule is not None:
        _settle(job, name)
    owed = job.owed(stage)
    with job.run.journal(name) as journal:
        if owed:
            for voice in voices:
                keep_prompt(job.run, voice.sampler)
            asyncio.run(_roll(job, Draft(voices, stage, arm, rule), journal, owed))
    if owed and rule is not None:
        _settle(job, name)
    try:
        return job.count(stage)
    except RunError:  # What is missing may be what a cap left.
        for voice in voices:
            job.budget.check(voice.name)
        raise


def _settle(job: Job, name: str) -> None:
    """Write what tells which samples are settled: a kill may have come before."""
    grade(job)
    if name in TEACHING:
        verify(job)


def check_boxes(job: Job) -> None:
    """Refuse an arm that could try no sample, before anything is paid for."""
    recipe, boxed = job.recipe, "SELECT bool_or(len(evidence) > 0) FROM samples"
    needs = ["arms.oracle_crop"] if recipe.arms.oracle_crop else []
    needs += ["teach.guided"] if recipe.teach and recipe.teach.guided else []
    if needs and job.run.value(boxed) is False:
        raise RecipeError(
            f"{needs[0]}: no sample has an evidence box: leave it out, or give the source its"
            " column of boxes"
        )


def stop_rule(recipe: Recipe, name: str) -> Rule | None:
    """What the attempts of an arm have to settle; null where all of them are drawn."""
    if name == "teacher" and recipe.teach and recipe.teach.verified:
        return Enough(wanted=recipe.teach.verified, n=recipe.teach.attempts)
    if name in TEACHING or not arm_of(recipe, name).curtail:
        return None
    conditions = recipe.preset.conditions(recipe.arms.planned())
    return next((condition.rule for condition in conditions if condition.arm == name), None)


def roll_stage(recipe: Recipe, voices: Sequence[Voice], n: int, rule: Rule | None = None) -> Stage:
    """The wanted attempts: n for every sample in the arm's scope, until the rule is settled."""
    arm = voices[0].sampler.arm
    stage = Stage(
        name=arm,
        table="rollouts",
        key="rollout_id",
        wanted=attempts_sql(voices, scope(recipe, arm), n),
        arm=arm,
    )
    if rule is None:
        return stage
    drawn = _drawn(recipe, arm, n)
    done = f"SELECT sample_id FROM ({drawn}) WHERE {settled('drawn', rule)}"
    return replace(stage, settled=done)


def _drawn(recipe: Recipe, arm: str, n: int) -> str:
    """SQL: the graded attempts of an arm, by sample; of a teacher's, the verified ones."""
    if arm in TEACHING and recipe.teach:
        return drawn_sql(arm, n, recipe.teach)
    return f"""
        SELECT rollouts.sample_id,
               count(*) FILTER (value > {RIGHT}) AS drawn_right,
               count(*) FILTER (value <= {RIGHT}) AS drawn_wrong,
               count(*) FILTER (value IS NULL) AS drawn_unscored
        FROM rollouts JOIN scores USING (rollout_id)
        WHERE arm = '{arm}' AND attempt < {n} GROUP BY ALL
    """


def scope(recipe: Recipe, name: str) -> str:
    """SQL: the samples that an arm is run on."""
    if name == "direct":
        return "SELECT sample_id FROM screens WHERE kept"
    if name == "guided":
        taught = scope(recipe, "teacher")
        return f"""SELECT sample_id FROM ({taught}) JOIN samples USING (sample_id)
                   WHERE len(evidence) > 0"""
    if name == "teacher":
        share = recipe.teach.rl_share if recipe.teach else 0.0
        drawn = f"('0x' || sample_id[:8])::UBIGINT < {share} * 4294967296"
        return f"""SELECT sample_id FROM verdicts
                   WHERE split = 'cold_start' OR (split = 'rl' AND {drawn})"""
    return f"""SELECT sample_id FROM ({tallies("counts")}) JOIN samples USING (sample_id)
               WHERE {asked(recipe, name)}"""


def keep_prompt(run: Run, sampler: Sampler) -> None:
    """The arm's prompt, with a stand-in for the question, under the hash that rollouts carry."""
    folder = run.prompts
    folder.mkdir(exist_ok=True)
    text = "\n".join(f"[{m.role}]\n{m.content}" for m in sampler.opening("{question}", 1))
    write_text(folder / f"{sampler.arm}-{sampler.prompt_mark}.txt", text + "\n")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a call of `roll` is about."""

    voices: Sequence[Voice]
    stage: Stage
    arm: Arm
    rule: Rule | None

    @property
    def workers(self) -> int:
        """Samples in work at a time, whose first waves fill every place in flight twice."""
        places = sum(voice.model.max_in_flight for voice in self.voices)
        wave = (self.rule and self.rule.least(Tally(0, 0))) or self.arm.n
        return -(-2 * places * self.arm.n // wave)


async def _roll(job: Job, draft: Draft, journal: Journal, owed: int) -> None:
    name = draft.stage.name

    def written(rows: Sequence[Rollout]) -> None:
        journal.settle(row.rollout_id for row in rows)

    def given_up(rows: Sequence[Quarantined]) -> None:
        journal.settle(row.key for row in rows)

    async with AsyncExitStack() as stack:
        sandbox = await _sandbox(job, draft, stack)
        members, writers = {}, {}
        for voice in draft.voices:
            kept = voice.kept(job.run.images)
            members[voice.name] = await _roller(job, draft, kept, sandbox, journal, stack)
            table, settings = job.run.table("rollouts"), voice.sampler.settings
            writer = PartWriter(table, voice.part, settings, written=written)
            writers[voice.author.teacher if voice.author else ""] = stack.enter_context(writer)
        quarantine = stack.enter_context(quarantine_writer(job.run, name, written=given_up))
        meter = stack.enter_context(job.reporter.stage(name, owed, "attempts"))
        failures = Failures(name, quarantine, job.recipe.max_failed_share)
        values = _values(job, draft, sandbox)
        draw = Draw(Speakers(members), draft.rule, Sink(writers, failures, meter), values)
        # Units that nobody may be asked about any more are left, though a few were looked up.
        coming = ahead(_owed(job, draft), _AHEAD)
        units = takewhile(lambda _: any(map(job.budget.allows, members)), coming)
        await drive(units, draw.sample, workers=draft.workers)
        failures.settle()


def _values(job: Job, draft: Draft, sandbox: CodeSandbox | None) -> Values:
    """What tells the arm's rule of an attempt: its score, or whether it could be a trajectory."""
    teach = job.recipe.teach
    if draft.rule is None or sandbox is None or teach is None or draft.stage.name not in TEACHING:
        return graded
    return Verdicts(Verifier.of(job, sandbox), teach).values


async def _roller(
    job: Job,
    draft: Draft,
    voice: Voice,
    sandbox: CodeSandbox | None,
    journal: Journal,
    stack: AsyncExitStack,
) -> Rolls:
    """Who makes a voice's attempts."""
    client = await stack.enter_async_context(job.client(voice.model))
    context = await client.context_length()
    voice.sampler.check_context(context)
    kind = treatment(draft.stage.name, draft.arm).bench
    workbench = None
    if sandbox is not None and kind is not None:
        tools = toolbox(voice.sampler.dialect.name, job.recipe.tools)
        workbench = Workbench(sandbox, tools, kind, record=job.run.searches())
    roller = Roller(
        voice.sampler,
        client,
        job.run.images,
        workbench,
        full=draft.arm.n,
        context=context,
        journal=journal,
        say=job.reporter.say,
        author=voice.author,
    )
    plans = voice.sampler.plans
    return GuidedRoller(roller, plans) if plans else roller


async def _sandbox(job: Job, draft: Draft, stack: AsyncExitStack) -> CodeSandbox | None:
    """Where the arm's actions run; null where none does."""
    if treatment(draft.stage.name, draft.arm).bench is None:
        return None
    sandbox = await stack.enter_async_context(job.sandbox())
    job.log.probes.update(sandbox.probes)
    return sandbox


def _owed(job: Job, draft: Draft) -> Iterator[Owed]:
    """What is owed, sample by sample; samples that share an image follow each other."""
    run, shown = job.run, draft.voices[0].sampler.treatment.images
    # Only numbers are gathered, as lists are held in memory: of a million samples, those of the
    # ids would not fit.
    rows = query_rows(
        run,
        f"""
        SELECT samples.*, attempts,
               list_transform(attempts, lambda attempt: {rollout_sql(draft.voices)}) AS rollout_ids,
               list_transform(attempts, lambda attempt: {speaker_sql(draft.voices)}) AS speakers,
               coalesce(drawn_right, 0) AS correct, coalesce(drawn_wrong, 0) AS wrong
        FROM (
            SELECT wanted.sample_id, list_sort(list(wanted.attempt)) AS attempts
            {draft.stage.owed} GROUP BY wanted.sample_id
        ) JOIN samples USING (sample_id)
        LEFT JOIN ({_drawn(job.recipe, draft.stage.name, draft.arm.n)}) AS drawn USING (sample_id)
        ORDER BY image_ids, sample_id
        """,
    )
    for row in rows:
        unit = Unit(
            row["sample_id"],
            row["source"],
            row["question"],
            _images(run, row, shown),
            dict(zip(row["attempts"], row["rollout_ids"], strict=True)),
            row["origin_id"],
            dict(zip(row["attempts"], row["speakers"], strict=True)),
            tuple(Box(**box) for box in row["evidence"]),
            row["metadata"],
        )
        yield Owed(unit, row, draft.arm.n, job.recipe.graders)


def _images(run: Run, row: Mapping[str, Any], shown: str) -> tuple[Path, ...]:
    if shown == "evidence":
        return _crops(run, row)
    if shown == "none":
        return ()
    return tuple(run.images.soon(image_id) for image_id in row["image_ids"])


def _crops(run: Run, row: Mapping[str, Any]) -> tuple[Path, ...]:
    """The evidence and nothing else: one crop a box, stored like any other image."""
    boxes = [Box(**box) for box in row["evidence"]]
    crops = [crop(run.images.read(row["image_ids"][box.image]), box) for box in boxes]
    return tuple(run.images.path(run.images.put(image)) for image in crops)
