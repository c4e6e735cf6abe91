"""The one body of all flows: what they do with a recipe, and what Prefect shows of it.

The work is in `curation`, and so is the truth about what is done: a task is a stage, Prefect's
cache is not used, and the flows differ in their steps alone.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from prefect import Flow, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Failed, State
from prefect.utilities.annotations import quote

from curation.cli.told import told
from curation.errors import RecipeError, ToolsightError
from curation.job import Job
from curation.pipeline import Step, check_models, check_tools, finish, perform, under_cap
from curation.progress import Lines
from curation.recipes.file import load_recipe
from curation.recipes.recipe import Recipe
from curation.runs import Run
from flows.artifacts import artifact_key, publish

LOG_SECONDS = 30.0
"""Time between two lines about the progress of one stage."""

Steps = Callable[[Recipe], Sequence[Step]]


def work(
    recipe: str, run: str | None, steps: Steps, *, gpu_slots: str | None = None
) -> State[Any] | None:
    """Do what the recipe says and the run folder does not hold yet.

    Returns None, or a state with a message of its own: that a cap of the budget was reached, or, as
    a failure, the sentence of a ToolsightError, which a person can mend, and for which a traceback
    would be noise. What is done is kept, so that the next run goes on. A bug propagates.
    """
    try:
        loaded = load_recipe(Path(recipe))
        _check(loaded, gpu_slots)
        with Job.open(loaded, run_folder(recipe, run), Lines(every=LOG_SECONDS)) as job:
            _run_stages(job, steps(loaded), gpu_slots)
            return Completed(message=job.log.stopped) if job.log.stopped else None
    except ToolsightError as error:
        return _failed(error)


def _check(recipe: Recipe, gpu_slots: str | None) -> None:
    """Fail before anything is written or paid for."""
    check_models(recipe)
    check_tools(recipe)
    if gpu_slots is not None:
        check_slots(gpu_slots)


def check_slots(limit: str) -> None:
    """RecipeError unless Prefect's server has a global concurrency limit of that name."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(limit)
        except ObjectNotFound:
            raise RecipeError(
                f"gpu_slots: Prefect has no global concurrency limit {limit!r}: make it with"
                f" `prefect global-concurrency-limit create {limit} --limit 1`, or leave it out"
            ) from None


def run_folder(recipe: str, run: str | None) -> Run:
    """The given run folder or URL, or the recipe's own folder."""
    return Run.at(run or Path("runs") / Path(recipe).stem, new=True)


def _run_stages(job: Job, steps: Sequence[Step], gpu_slots: str | None) -> None:
    """Run stages as tasks, one after the other; then the manifest and the artifacts."""
    about = f"Stages of {job.run.place}"
    key = artifact_key("stages", job.run)
    progress = typing.cast(UUID, create_progress_artifact(0.0, key=key, description=about))
    for done, step in enumerate(under_cap(job, steps), start=1):
        with _slot(gpu_slots if step.asks_models else None):
            # Quoted, or Prefect would walk through the job in search of futures.
            stage(quote(job), quote(step), step.name, return_state=True).result()
        update_progress_artifact(progress, 100.0 * done / len(steps))
    finish(job)
    publish(job)


# The run folder is the checkpoint: Prefect's cache would only be a second, weaker truth.
@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="{name}")
def stage(job: Job, step: Step, name: str) -> str | State[Any]:
    """Run one stage; its result is one line."""
    try:
        return perform(job, step)
    except ToolsightError as error:
        return _failed(error)


def _failed(error: ToolsightError) -> State[Any]:
    """The error is the state's data too, so that whoever calls the flow gets it raised."""
    return Failed(message=str(error), data=error)


@contextmanager
def _slot(limit: str | None) -> Iterator[None]:
    """Hold a slot of a global concurrency limit for as long as a stage takes; never a request."""
    if limit is None:
        yield
        return
    with concurrency(limit, occupy=1, strict=True):
        yield


def main(flow: Flow[..., Any]) -> None:
    """Run a flow as a script; a mendable error is told as its sentence."""

    def script(
        recipe: Annotated[str, typer.Argument(metavar="RECIPE")],
        run: Annotated[str | None, typer.Argument(metavar="RUN")] = None,
        gpu_slots: str | None = None,
    ) -> None:
        with told():
            flow(recipe, run, gpu_slots)

    typer.run(script)
