"""What the flows share: one task a stage, and artifacts for people. The work is in `curation`."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import UUID

from prefect import task
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from curation.funnel import read_funnel
from curation.job import Job
from curation.pipeline import Step, check_models, check_tools, finish, perform, under_cap
from curation.progress import Lines
from curation.recipes.file import load_recipe
from curation.recipes.recipe import Recipe
from curation.runs import Run

LOG_SECONDS = 30.0
"""Time between two lines about the progress of one stage."""


# The run folder is the checkpoint: Prefect's cache would only be a second, weaker truth.
@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="{name}")
def stage(job: Job, step: Step, name: str) -> str:
    """Run one stage; its result is one line."""
    return perform(job, step)


def run_stages(job: Job, steps: Sequence[Step]) -> None:
    """Run stages as tasks, one after the other, and write the manifest."""
    about = f"Stages of {job.run.path}"
    progress = typing.cast(UUID, create_progress_artifact(0.0, key="stages", description=about))
    for done, step in enumerate(under_cap(job, steps), start=1):
        # Quoted, or Prefect would walk through the job in search of futures.
        stage(quote(job), quote(step), step.name)
        update_progress_artifact(progress, 100.0 * done / len(steps))
    finish(job)
    header, *rows = read_funnel(job.run).cells()
    create_table_artifact(
        [dict(zip(header, row, strict=True)) for row in rows],
        key="funnel",
        description=f"What became of every row of {job.run.path}",
    )


def open_job(recipe: Recipe, run: Run) -> AbstractContextManager[Job]:
    """A job that prints a line now and then; with `log_prints` they are the flow's log."""
    return Job.open(recipe, run, Lines(every=LOG_SECONDS))


def load(recipe: str) -> Recipe:
    """A recipe whose models answer, so that a flow fails before it pays for anything."""
    loaded = load_recipe(Path(recipe))
    check_models(loaded)
    check_tools(loaded)
    return loaded


def run_folder(recipe: str, run: str | None) -> Run:
    """The given run folder, or the recipe's own."""
    return Run(Path(run) if run else Path("runs") / Path(recipe).stem)
