"""The stages in order: `curate` makes RL data, `synthesize` makes trajectories."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from curation.errors import CapReached
from curation.exporters import get_target
from curation.funnel import Funnel, read_funnel
from curation.job import Job, check_model
from curation.manifest import (
    Manifest,
    added,
    costs,
    read_manifest,
    usage,
    versions,
    write_manifest,
)
from curation.progress import Reporter
from curation.recipes.file import check_grader, load_recipe
from curation.recipes.models import Teacher
from curation.recipes.recipe import Export, Recipe
from curation.rollouts.wording import wording
from curation.runs import Run
from curation.stage import Count, made_from, sentence
from curation.stages.agree import agree
from curation.stages.choose import shares
from curation.stages.compose import compose
from curation.stages.count import benefit
from curation.stages.decide import decide
from curation.stages.export import export
from curation.stages.grade import grade
from curation.stages.ingest import ingest
from curation.stages.measure import measure
from curation.stages.regrade import decide_again, regrade
from curation.stages.roll import roll
from curation.stages.screen import find_duplicates, screen
from curation.stages.solutions import solutions
from curation.stages.support import support
from curation.stages.verify import verify
from curation.telemetry import FILE, read_traffic


@dataclass(frozen=True, slots=True)
class Step:
    """A named function from a job to its count."""

    name: str
    work: Callable[[Job], Count]
    asks_models: bool = False
    after_cap: bool = False
    """Whether it makes the best of what is there when a cap stopped a step before it."""


def curate_steps(recipe: Recipe) -> list[Step]:
    """From raw rows to verdicts and RL shards."""
    arms = {name: arm.scope for name, arm in recipe.arms.run().items() if name != "direct"}
    selected = [name for name, scope in arms.items() if scope == "selected"]
    return [
        Step("ingest", ingest),
        Step("measure", measure),
        Step("duplicates", find_duplicates),
        Step("screen", screen),
        *_attempts(recipe, ["direct"]),
        *_attempts(recipe, [name for name in arms if name not in selected]),
        *_attempts(recipe, selected),
        Step("decide", decide),
        *_exports(recipe, "rl"),
    ]


def _attempts(recipe: Recipe, arms: list[str]) -> list[Step]:
    """Arms that need nothing of each other, and the counts that the next ones need."""
    rolls = [Step(name, partial(roll, name=name), asks_models=True) for name in arms]
    return [*rolls, _grading(recipe), Step("benefit", benefit)] if arms else []


def _grading(recipe: Recipe) -> Step:
    return Step("grade", grade, asks_models=recipe.judge is not None)


def synthesize_steps(recipe: Recipe) -> list[Step]:
    """From verdicts to verified trajectories and SFT shards; nothing without `[teach]`."""
    if recipe.teach is None:
        return []
    guided = partial(roll, name="guided")
    return [
        Step("teacher", partial(roll, name="teacher"), asks_models=True),
        *([Step("guided", guided, True, after_cap=True)] if recipe.teach.guided else []),
        *([Step("solutions", solutions, after_cap=True)] if recipe.teach.text_share else []),
        replace(_grading(recipe), after_cap=True),
        Step("verify", verify, after_cap=True),
        *([Step("support", support, True, after_cap=True)] if recipe.teach.support else []),
        *([Step("agree", agree, True, after_cap=True)] if recipe.teach.judge_thoughts else []),
        Step("compose", compose, after_cap=True),
        *_exports(recipe, "sft", "dpo"),
    ]


def all_steps(recipe: Recipe) -> list[Step]:
    """From raw rows to both."""
    return [*curate_steps(recipe), *synthesize_steps(recipe)]


def under_cap(job: Job, steps: Iterable[Step]) -> Iterator[Step]:
    """The steps to do: all of them, or until one comes that a reached cap leaves nothing to do.

    A cap before the verdicts ends everything: samples that are measured in part decide nothing. A
    cap on teachers leaves trajectories, which are verified, composed and exported.
    """
    for step in steps:
        if job.log.stopped is not None and not step.after_cap:
            return
        yield step


def _exports(recipe: Recipe, *kinds: str) -> list[Step]:
    return [
        Step(f"export {chosen.target}", partial(export, chosen=chosen), after_cap="sft" in kinds)
        for chosen in recipe.exports
        if get_target(chosen.target).KIND in kinds
    ]


def check_models(recipe: Recipe) -> dict[str, str]:
    """Who would answer, by role or name. Starts nothing.

    Raises:
        ServerError: somebody would not.
        RecipeError: a teacher's prompt or exemplars cannot be read.
    """
    asked = recipe.models
    if recipe.teach is None:
        asked = {name: model for name, model in asked.items() if not isinstance(model, Teacher)}
    for model in asked.values():
        wording(model)
    return {name: check_model(model) for name, model in asked.items()}


def check_tools(recipe: Recipe) -> list[str]:
    """What tools say of their settings: `check_search` stands beside `search`, and takes the same.

    Raises:
        ToolsightError: a tool that could not do its work as it is set up.
    """
    said = []
    for tool in recipe.tools:
        module = sys.modules[tool.function.__module__]
        if check := getattr(module, f"check_{tool.function.__name__}", None):
            said.append(check(**tool.settings))
    return said


def perform(job: Job, step: Step) -> str:
    """Run one stage and remember it for the manifest; the line that tells what came of it.

    A stage that a cap stops is no failure: it is not counted, and `job.log.stopped` says why.
    """
    job.telemetry.stage = step.name
    started = time.monotonic()
    try:
        count = step.work(job).check()
    except CapReached as cap:
        count, told = None, f"{step.name}: {cap}"
        job.log.stopped = told
        job.reporter.say(told)
    seconds = time.monotonic() - started
    job.log.seconds[step.name] = job.log.seconds.get(step.name, 0.0) + seconds
    if count is not None:
        job.log.counts[step.name], told = count, sentence(count)
        job.reporter.counted(count, seconds)
    return told


def run_recipe(
    recipe: Recipe, run: Run, reporter: Reporter, *, retry_quarantined: bool = False
) -> Funnel:
    """Everything that the recipe says and the run does not hold yet.

    Raises:
        ToolsightError: something that a person can mend; what is done is kept.
    """
    check_models(recipe)
    check_tools(recipe)
    with Job.open(recipe, run, reporter) as job:
        if retry_quarantined:
            run.retry_quarantined()
        for step in under_cap(job, all_steps(recipe)):
            perform(job, step)
        finish(job)
    return read_funnel(run)


def export_target(run: Run, target: str, reporter: Reporter) -> str:
    """Write an export of a finished run; the sentence that says what it holds."""
    recipe = load_recipe(run.recipe_path)
    settings = [chosen for chosen in recipe.exports if chosen.target == target]
    chosen = settings[0] if settings else Export(target)
    get_target(target)
    with Job.open(recipe, run, reporter) as job:
        count = export(job, chosen)
        record(job)
    return f"{sentence(count)}; {run.place}/exports/{target}"


def grade_again(run: Run, reporter: Reporter, *, only: str | None = None) -> None:
    """Replace a run's scores, and what follows from them, by those of its recipe's graders.

    only: the grader that decides every kind of answer instead
    """
    recipe = load_recipe(run.recipe_path)
    if only is not None:
        check_grader(only, "--grader", judged=recipe.judge is not None)
    with Job.open(recipe, run, reporter) as job:  # The folder's recipe stays as it is.
        job.recipe = replace(recipe, graders=replace(recipe.graders, only=only))
        steps = [Step("grade", regrade), Step("benefit", benefit), Step("decide", decide_again)]
        for step in under_cap(job, steps):
            perform(job, step)
        record(job)


def finish(job: Job) -> None:
    """End a session in which every stage was done: its manifest, and whether anything was owed."""
    job.count_again()
    record(job)
    if job.log.stopped:
        job.reporter.say(job.log.stopped)
    elif not job.log.made:
        job.reporter.say(
            f"nothing was owed: {job.run.place} holds everything that the recipe asks for"
        )


def record(job: Job) -> None:
    """Write the manifest: what earlier sessions put there, and what this one did."""
    before, log = read_manifest(job.run), job.log
    tokens, models, summed = before.usage, before.models, made_from(job.run, "rollouts")
    if summed != before.usage_from:  # Adding up millions of turns takes a while.
        tokens, models = usage(job.run)
    recipe, teach = job.run.recipe_path.read_bytes(), job.recipe.teach
    traffic = read_traffic(job.run.path / FILE)
    manifest = Manifest(
        recipe=hashlib.sha256(recipe).hexdigest(),
        versions=versions(),
        models=models,
        stages=log.stages(before.stages),
        usage=tokens,
        usage_from=summed,
        traffic=traffic,
        costs=costs(job.run, traffic),
        sandbox={**before.sandbox, **log.probes},
        exports={**before.exports, **log.exports},
        notes=added(before.notes, log.notes),
        stopped=log.stopped or "",
        mix=[each._asdict() for each in shares(job.run, teach)] if teach else [],
    )
    write_manifest(job.run, manifest)
