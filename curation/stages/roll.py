"""Roll: attempts of a model at samples, in one of the arms, as many at once as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curation.errors import RecipeError
from curation.estimates.rules import Rule, Tally
from curation.graders.assigned import Graders
from curation.images import crop
from curation.job import Job, check_model
from curation.recipes.presets import settled
from curation.recipes.recipe import Arm, Model, Recipe
from curation.rollouts.actions import Workbench
from curation.rollouts.arms import treatment
from curation.rollouts.conversation import Unit
from curation.rollouts.journal import Journal
from curation.rollouts.loop import Roller
from curation.rollouts.sampler import Sampler
from curation.runs import Run
from curation.sandbox import open_sandbox
from curation.stage import (
    Count,
    PartWriter,
    Stage,
    count_stage,
    quarantine_writer,
    query_rows,
)
from curation.stages.count import RIGHT, asked, tallies
from curation.stages.draw import Draw, Failures, Owed, Sink, drive
from curation.stages.grade import grade
from curation.tables import write_text
from curation.tools import toolbox
from schemas import Box, Quarantined, Rollout


def roll(job: Job, name: str) -> Count:
    """Make the owed rollouts of an arm; `name` is one of `schemas.rollout.ARMS`.

    The unit is the attempt: kept are those on disk, dropped those that a settled verdict did not
    need.

    Raises:
        RecipeError: the recipe crops to evidence, and no sample has any.
        StaleSettingsError: rollouts on disk were sampled otherwise.
        RunError: more than `max_failed_share` of the attempts failed.
        ServerError: the model's servers are gone.
    """
    check_boxes(job)
    arm, model = arm_of(job.recipe, name)
    identity = check_model(model)
    sampler = Sampler.of(name, arm, model, identity, job.recipe)
    rule = stop_rule(job.recipe, name)
    stage = roll_stage(job.recipe, sampler, arm.n, rule)
    job.run.table(stage.table).check_settings(name, sampler.settings)
    if rule is not None:  # What is settled shows in the scores, also after a kill.
        grade(job)
    owed = job.owed(stage)
    with job.run.journal(name) as journal:
        if owed:
            keep_prompt(job.run, sampler)
            plan = Plan(sampler, stage, arm, rule, job.recipe.graders)
            asyncio.run(_roll(job, model, plan, journal, owed))
    if owed and rule is not None:
        grade(job)
    return count_stage(job.run, stage)


def check_boxes(job: Job) -> None:
    """Refuse an arm that could try no sample, before anything is paid for."""
    boxed = "SELECT bool_or(len(evidence) > 0) FROM samples"
    if job.recipe.arms.oracle_crop and job.run.value(boxed) is False:
        raise RecipeError(
            "arms.oracle_crop: no sample has an evidence box: leave the arm out, or give the"
            " source its column of boxes"
        )


def arm_of(recipe: Recipe, name: str) -> tuple[Arm, Model]:
    """An arm of the recipe and the model that it asks."""
    if name == "teacher":
        assert recipe.teach is not None, "the pipeline teaches only where the recipe says so"
        return recipe.teach.arm, recipe.teacher
    arm: Arm | None = getattr(recipe.arms, name)
    assert arm is not None, "the pipeline runs only the arms of the recipe"
    return arm, recipe.policy


def stop_rule(recipe: Recipe, name: str) -> Rule | None:
    """What the attempts of an arm have to settle; null where all of them are drawn."""
    if name == "teacher" or not arm_of(recipe, name)[0].curtail:
        return None
    conditions = recipe.preset.conditions(recipe.arms.planned())
    return next((condition.rule for condition in conditions if condition.arm == name), None)


def roll_stage(recipe: Recipe, sampler: Sampler, n: int, rule: Rule | None = None) -> Stage:
    """The wanted attempts: n for every sample in the arm's scope, until the rule is settled."""
    arm = sampler.arm
    stage = Stage(
        name=arm,
        table="rollouts",
        key="rollout_id",
        wanted=f"""
            SELECT sample_id, attempt,
                   sha256(concat_ws('/', sample_id, '{arm}', '{sampler.mark}', attempt))
                       AS rollout_id
            FROM ({scope(recipe, arm)}) CROSS JOIN range({n}) AS attempts(attempt)
        """,
        settings=sampler.settings,
    )
    if rule is None:
        return stage
    done = f"SELECT sample_id FROM ({_drawn(arm, n)}) WHERE {settled('drawn', rule)}"
    return replace(stage, settled=done)


def _drawn(arm: str, n: int) -> str:
    """SQL: the graded attempts of an arm, by sample."""
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
class Plan:
    """What a call of `roll` is about."""

    sampler: Sampler
    stage: Stage
    arm: Arm
    rule: Rule | None
    graders: Graders

    def workers(self, places: int) -> int:
        """Samples in work at a time, whose first waves fill every place in flight twice."""
        wave = (self.rule and self.rule.least(Tally(0, 0))) or self.arm.n
        return -(-2 * places * self.arm.n // wave)


async def _roll(job: Job, model: Model, plan: Plan, journal: Journal, owed: int) -> None:
    name = plan.stage.name

    def written(rows: Sequence[Rollout]) -> None:
        journal.settle(row.rollout_id for row in rows)

    def given_up(rows: Sequence[Quarantined]) -> None:
        journal.settle(row.key for row in rows)

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(job.client(model))
        workbench = await _workbench(job, plan, stack)
        context = await client.context_length()
        plan.sampler.check_context(context)
        table = job.run.table("rollouts")
        writer = PartWriter(table, name, plan.sampler.settings, written=written)
        quarantine = quarantine_writer(job.run, name, written=given_up)
        meter = job.reporter.stage(name, owed, "attempts")
        failures = Failures(name, stack.enter_context(quarantine), job.recipe.max_failed_share)
        sink = Sink(stack.enter_context(writer), failures, stack.enter_context(meter))
        roller = Roller(
            plan.sampler,
            client,
            job.run.images,
            workbench,
            full=plan.arm.n,
            context=context,
            journal=journal,
            say=job.reporter.say,
        )
        draw = Draw(roller, plan.rule, sink)
        await drive(_owed(job.run, plan), draw.sample, workers=plan.workers(model.max_in_flight))
        failures.settle()


async def _workbench(job: Job, plan: Plan, stack: AsyncExitStack) -> Workbench | None:
    kind = treatment(plan.stage.name, plan.arm).bench
    if kind is None:
        return None
    sandbox = await stack.enter_async_context(open_sandbox(job.recipe.sandbox))
    job.probes.update(sandbox.probes)
    tools = toolbox(plan.sampler.dialect.name, job.recipe.tools)
    return Workbench(sandbox, tools, kind, record=job.run.searches())


def _owed(run: Run, plan: Plan) -> Iterator[Owed]:
    """What is owed, sample by sample; samples that share an image follow each other."""
    rows = query_rows(
        run,
        f"""
        SELECT samples.*, attempts, rollout_ids,
               coalesce(drawn_right, 0) AS correct, coalesce(drawn_wrong, 0) AS wrong
        FROM (
            SELECT wanted.sample_id, list(wanted.attempt ORDER BY wanted.attempt) AS attempts,
                   list(wanted.rollout_id ORDER BY wanted.attempt) AS rollout_ids
            {plan.stage.owed} GROUP BY wanted.sample_id
        ) JOIN samples USING (sample_id)
        LEFT JOIN ({_drawn(plan.stage.name, plan.arm.n)}) AS drawn USING (sample_id)
        ORDER BY image_ids, sample_id
        """,
    )
    for row in rows:
        unit = Unit(
            row["sample_id"],
            row["source"],
            row["question"],
            _images(run, row, plan.sampler.treatment.images),
            dict(zip(row["attempts"], row["rollout_ids"], strict=True)),
            row["origin_id"],
        )
        yield Owed(unit, row, plan.arm.n, plan.graders)


def _images(run: Run, row: Mapping[str, Any], shown: str) -> tuple[Path, ...]:
    if shown == "evidence":
        return _crops(run, row)
    if shown == "none":
        return ()
    return tuple(run.images.path(image_id) for image_id in row["image_ids"])


def _crops(run: Run, row: Mapping[str, Any]) -> tuple[Path, ...]:
    """The evidence and nothing else: one crop a box, stored like any other image."""
    boxes = [Box(**box) for box in row["evidence"]]
    crops = [crop(run.images.read(row["image_ids"][box.image]), box) for box in boxes]
    return tuple(run.images.path(run.images.put(image)) for image in crops)
