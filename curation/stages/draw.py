"""Draw: the attempts at many samples at a time, in waves where a rule may settle a sample early.

There is no barrier: a fixed number of workers takes samples from the stream of what is owed, and
finished rollouts are written while others go on. Who waits longest for a place in flight gets it,
so that all samples move on together and none is left alone at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any, TypeVar

from curation.errors import CapReached, RunError
from curation.estimates.rules import Rule, Tally
from curation.estimates.waves import wave
from curation.graders.assigned import Graders
from curation.graders.base import Grade
from curation.progress import Meter
from curation.rollouts.conversation import Unit
from curation.rollouts.speakers import Rolls
from curation.stage import PartWriter, failed_row
from curation.stages.count import RIGHT
from schemas import Quarantined, Rollout

T = TypeVar("T")

_ENOUGH = 64
"""Rows after which the share of failures means something."""


@dataclass(frozen=True, slots=True)
class Owed:
    """The attempts that a sample is owed, and what grades them."""

    unit: Unit
    row: Mapping[str, Any]
    """The sample, and how many earlier attempts are `correct` and `wrong`."""
    n: int
    """Attempts of the full draw."""
    graders: Graders

    @property
    def tally(self) -> Tally:
        """Earlier attempts; one that failed could have been either, like one without a score."""
        right, wrong = self.row["correct"], self.row["wrong"]
        return Tally(right, wrong, self.n - right - wrong - len(self.unit.attempts))

    def grade(self, rollout: Rollout) -> Grade:
        """What the grade stage says of a rollout."""
        kind, answers, choices = (self.row[key] for key in ("answer_kind", "answers", "choices"))
        return self.graders.grade(rollout.prediction, answers, kind, choices)


Values = Callable[[Owed, Sequence[Rollout]], Awaitable[list[float | None]]]
"""What attempts are worth to a rule: above RIGHT is right, null is unscored."""


async def graded(owed: Owed, rollouts: Sequence[Rollout]) -> list[float | None]:
    """The scores that the grade stage will give."""

    def values() -> list[float | None]:
        return [owed.grade(rollout).value for rollout in rollouts]

    return await asyncio.to_thread(values)


def added(tally: Tally, values: Sequence[float | None]) -> Tally:
    """The tally with further attempts."""
    right = sum(value is not None and value > RIGHT for value in values)
    unscored = values.count(None)
    return Tally(
        tally.right + right,
        tally.wrong + len(values) - right - unscored,
        tally.unscored + unscored,
    )


@dataclass(frozen=True, slots=True)
class Draw:
    """Draws the attempts of one arm; what comes goes to the sink at once."""

    roller: Rolls
    rule: Rule | None
    """What the attempts have to settle; null where all of them are drawn."""
    sink: Sink
    values: Values = graded

    async def sample(self, owed: Owed) -> None:
        """The owed attempts at one sample, up to the wave that settles it, or that a budget cuts
        short."""
        left, tally = dict(owed.unit.attempts), owed.tally
        while left and not (self.rule and self.rule.verdict(tally) is not None):
            size = wave(self.rule, tally) if self.rule else 0
            batch = span(left, size or len(left))
            unit = replace(owed.unit, attempts=batch)
            rollouts = await self.roller.roll(unit)
            self.sink.take(unit, rollouts)
            if len(rollouts) < len(batch):
                return
            if self.rule is not None:
                tally = added(tally, await self.values(owed, rollouts))
            left = {attempt: key for attempt, key in left.items() if attempt not in batch}
        self.sink.meter.advance(len(left))


def span(attempts: Mapping[int, str], most: int) -> dict[int, str]:
    """The first attempts without a gap, which one request can draw."""
    first = min(attempts)
    numbers = range(first, first + most)
    found: dict[int, str] = {}
    for number in numbers:
        if number not in attempts:
            break
        found[number] = attempts[number]
    return found


def ahead(units: Iterator[T], most: int) -> Iterator[T]:
    """The units, made in a thread up to `most` at a time while those before are in work, so that
    what making them waits for, a query or a disk, holds up no request."""

    def some() -> list[T]:
        return list(islice(units, most))

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(some)
        while made := coming.result():
            coming = thread.submit(some)
            yield from made


async def drive(units: Iterable[T], work: Callable[[T], Awaitable[None]], *, workers: int) -> None:
    """Do all units, `workers` at a time; the first error ends it and is raised as it is.

    A cap is no error: who reaches it takes no further unit, the others finish theirs, and then it
    is raised.
    """
    pending = iter(units)
    reached: list[CapReached] = []

    async def worker() -> None:
        for unit in pending:  # shared: every unit goes to the first worker that is free
            try:
                await work(unit)
            except CapReached as cap:
                return reached.append(cap)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise _first(errors) from None
    if reached:
        raise reached[0]


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


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

    writers: Mapping[str, PartWriter]
    """By the name of the teacher; of an arm that measures there is one, without a name."""
    failures: Failures
    meter: Meter

    def take(self, unit: Unit, rollouts: Sequence[Rollout]) -> None:
        made = [rollout for rollout in rollouts if rollout.stop_reason != "model_error"]
        broken = [rollout for rollout in rollouts if rollout.stop_reason == "model_error"]
        for teacher, rows in groupby(made, key=_teacher):
            self.writers[teacher].add(rows)
        self.failures.note(len(rollouts), [_failed(unit, rollout) for rollout in broken])
        self.meter.advance(len(rollouts))


def _teacher(rollout: Rollout) -> str:
    return rollout.written_by.teacher if rollout.written_by else ""


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
