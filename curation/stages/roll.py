"""Roll: attempts of a model at samples, in one of the arms, as many at once as it takes.

There is no barrier: a fixed number of workers takes samples from the stream of what is owed, and
finished rollouts are written while others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from curation.actions import Workbench
from curation.errors import RunError
from curation.images import crop
from curation.job import Job, check_model
from curation.progress import Meter
from curation.recipe import Arm, Model, Recipe
from curation.rollouts import Roller, Sampler, Unit
from curation.runs import Run
from curation.sandbox import open_sandbox
from curation.stage import (
    Count,
    PartWriter,
    Stage,
    count_stage,
    failed_row,
    quarantine_writer,
    query_rows,
)
from curation.stages.decide import direct_holds
from curation.tools import toolbox
from schemas import Box, Quarantined, Rollout

T = TypeVar("T")
R = TypeVar("R")

_ENOUGH = 64
"""Rows after which the share of failures means something."""


def roll(job: Job, name: str) -> Count:
    """Make the owed rollouts of an arm; `name` is one of `schemas.rollout.ARMS`.

    Raises:
        StaleSettingsError: rollouts on disk were sampled otherwise.
        RunError: more than `max_failed_share` of the attempts failed.
        ServerError: the model's servers are gone.
    """
    arm, model = arm_of(job.recipe, name)
    identity = check_model(model)
    sampler = Sampler.of(name, arm, model, identity, job.recipe)
    stage = roll_stage(job.recipe, sampler, arm.n)
    job.run.table(stage.table).check_settings(name, sampler.settings)
    owed = job.owed(stage)
    if owed:
        asyncio.run(_roll(job, model, sampler, stage, owed))
    return count_stage(job.run, stage)


def arm_of(recipe: Recipe, name: str) -> tuple[Arm, Model]:
    """An arm of the recipe and the model that it asks."""
    if name == "teacher":
        assert recipe.teach is not None, "the pipeline teaches only where the recipe says so"
        return recipe.teach.arm, recipe.teacher
    arm: Arm | None = getattr(recipe.arms, name)
    assert arm is not None, "the pipeline runs only the arms of the recipe"
    return arm, recipe.policy


def roll_stage(recipe: Recipe, sampler: Sampler, n: int) -> Stage:
    """The wanted attempts: n for every sample in the arm's scope."""
    return Stage(
        name=sampler.arm,
        table="rollouts",
        key="rollout_id",
        wanted=f"""
            SELECT sample_id, attempt,
                   sha256(concat_ws('/', sample_id, '{sampler.arm}', '{sampler.mark}', attempt))
                       AS rollout_id
            FROM ({scope(recipe, sampler.arm)}) CROSS JOIN range({n}) AS attempts(attempt)
        """,
        settings=sampler.settings,
    )


def scope(recipe: Recipe, name: str) -> str:
    """SQL: the samples that an arm is run on."""
    if name == "direct":
        return "SELECT sample_id FROM screens WHERE kept"
    if name == "teacher":
        share = recipe.teach.rl_share if recipe.teach else 0.0
        drawn = f"('0x' || sample_id[:8])::UBIGINT < {share} * 4294967296"
        return f"""SELECT sample_id FROM verdicts
                   WHERE split = 'cold_start' OR (split = 'rl' AND {drawn})"""
    arm = arm_of(recipe, name)[0]
    chosen = direct_holds(recipe) if arm.scope == "undecided" else "true"
    if name == "oracle_crop":
        chosen += " AND len(evidence) > 0"
    return f"SELECT sample_id FROM benefits JOIN samples USING (sample_id) WHERE {chosen}"


async def _roll(job: Job, model: Model, sampler: Sampler, stage: Stage, owed: int) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(job.client(model))
        workbench = None
        if sampler.dialect.name != "direct":
            sandbox = await stack.enter_async_context(open_sandbox(job.recipe.sandbox))
            job.probes.update(sandbox.probes)
            tools = toolbox(sampler.dialect.name, job.recipe.tools)
            workbench = Workbench(sandbox, tools, record=job.run.searches())
        writer = PartWriter(job.run.table("rollouts"), stage.name, sampler.settings)
        quarantine = quarantine_writer(job.run, stage.name)
        meter = job.reporter.stage(stage.name, owed, "rollouts")
        failures = Failures(
            stage.name, stack.enter_context(quarantine), job.recipe.max_failed_share
        )
        sink = Sink(stack.enter_context(writer), failures, stack.enter_context(meter))
        roller = Roller(sampler, client, job.run.images, workbench)
        await drive(_units(job.run, stage), roller.roll, sink.take, workers=2 * model.max_in_flight)
        failures.settle()


async def drive(
    units: Iterable[T],
    work: Callable[[T], Awaitable[R]],
    take: Callable[[T, R], None],
    *,
    workers: int,
) -> None:
    """Do all units, `workers` at a time; the first error ends it and is raised as it is."""
    pending = iter(units)

    async def worker() -> None:
        for unit in pending:  # shared: every unit goes to the first worker that is free
            take(unit, await work(unit))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise _first(errors) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _units(run: Run, stage: Stage) -> Iterator[Unit]:
    """What is owed, sample by sample; samples that share an image follow each other."""
    rows = query_rows(
        run,
        f"""
        SELECT samples.sample_id, source, question, image_ids, evidence, attempts, rollout_ids,
               origin_id
        FROM (
            SELECT wanted.sample_id, list(wanted.attempt ORDER BY wanted.attempt) AS attempts,
                   list(wanted.rollout_id ORDER BY wanted.attempt) AS rollout_ids
            {stage.owed} GROUP BY wanted.sample_id
        ) JOIN samples USING (sample_id) ORDER BY image_ids, sample_id
        """,
    )
    images = _crops if stage.name == "oracle_crop" else _originals
    for row in rows:
        for attempts in _consecutive(dict(zip(row["attempts"], row["rollout_ids"], strict=True))):
            paths = images(run, row)
            yield Unit(
                row["sample_id"], row["source"], row["question"], paths, attempts, row["origin_id"]
            )


def _consecutive(attempts: Mapping[int, str]) -> Iterator[dict[int, str]]:
    """Attempts in spans without a gap, each of which one request can draw."""
    span: dict[int, str] = {}
    for attempt, rollout_id in sorted(attempts.items()):
        if span and attempt - 1 not in span:
            yield span
            span = {}
        span[attempt] = rollout_id
    if span:
        yield span


def _originals(run: Run, row: Mapping[str, Any]) -> tuple[Path, ...]:
    return tuple(run.images.path(image_id) for image_id in row["image_ids"])


def _crops(run: Run, row: Mapping[str, Any]) -> tuple[Path, ...]:
    """The evidence and nothing else: one crop a box, stored like any other image."""
    boxes = [Box(**box) for box in row["evidence"]]
    crops = [crop(run.images.read(row["image_ids"][box.image]), box) for box in boxes]
    return tuple(run.images.path(run.images.put(image)) for image in crops)


@dataclass(slots=True)
class Failures:
    """Attempts whose requests failed, kept out of the quarantine while they may be the rule."""

    stage: str
    writer: PartWriter
    max_share: float
    done: int = 0
    failed: int = 0
    _held: list[Quarantined] = field(default_factory=list)

    def note(self, done: int, rows: Sequence[Quarantined]) -> None:
        """Count finished attempts, the failed among them; RunError when too many have failed."""
        self.done += done
        self.failed += len(rows)
        self._held += rows
        if self.done >= _ENOUGH:
            self._check()
        if len(self._held) >= _ENOUGH * 16:
            self._release()

    def settle(self) -> None:
        """Write what failed to the quarantine, unless it was most of the stage."""
        self._check()
        self._release()

    def _check(self) -> None:
        if self.failed > self.max_share * self.done:
            raise RunError(
                f"stage {self.stage!r} was given up: {self.failed} of {self.done} attempts failed,"
                f" more than max_failed_share = {self.max_share:g} allows; the last with:"
                f" {self._held[-1].message} What succeeded is kept, the rest is still owed."
            )

    def _release(self) -> None:
        self.writer.add(self._held)
        self._held = []


@dataclass(frozen=True, slots=True)
class Sink:
    """Where finished rollouts go."""

    writer: PartWriter
    failures: Failures
    meter: Meter

    def take(self, unit: Unit, rollouts: Sequence[Rollout]) -> None:
        made = [rollout for rollout in rollouts if rollout.stop_reason != "model_error"]
        broken = [rollout for rollout in rollouts if rollout.stop_reason == "model_error"]
        self.writer.add(made)
        self.failures.note(len(rollouts), [_failed(unit, rollout) for rollout in broken])
        self.meter.advance(len(rollouts))


def _failed(unit: Unit, rollout: Rollout) -> Quarantined:
    return failed_row(
        rollout.arm,
        rollout.rollout_id,
        unit.source,
        "request_failed",
        f"attempt {rollout.attempt} at sample {unit.sample_id[:12]}: {rollout.error};"
        " run again with --retry-quarantined",
        sample_id=unit.sample_id,
        arm=rollout.arm,
        attempt=rollout.attempt,
    )
