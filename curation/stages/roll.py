"""Roll: attempts of a model at samples, in one of the arms, as many at once as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import takewhile

from curation.errors import RecipeError, RunError
from curation.estimates.rules import Rule, Tally
from curation.job import Job
from curation.recipes.recipe import Arm
from curation.rollouts.actions import Workbench
from curation.rollouts.arms import treatment
from curation.rollouts.guided import GuidedRoller
from curation.rollouts.journal import Journal
from curation.rollouts.loop import Roller
from curation.rollouts.sampler import Sampler
from curation.rollouts.speakers import Rolls, Speakers
from curation.runs import Run
from curation.sandbox import CodeSandbox
from curation.stage import Count, PartWriter, Stage, quarantine_writer
from curation.stages.draw import Draw, Failures, Sink, Values, ahead, drive, graded
from curation.stages.grade import grade
from curation.stages.owed import owed_samples, roll_stage, stop_rule
from curation.stages.reject import Verdicts
from curation.stages.verify import Verifier, verify
from curation.stages.voices import Voice, arm_of, voices_of
from curation.tables import write_text
from curation.tools import toolbox
from schemas import Quarantined, Rollout
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
        coming = ahead(owed_samples(job, draft.stage, draft.voices, draft.arm.n), _AHEAD)
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
