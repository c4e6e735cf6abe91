"""Held-out rollouts of a served model in every mode, and the figures that its card states."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from curation.dialects import get_dialect
from curation.graders import grade
from curation.images import ImageStore, crop
from curation.models import ModelClient
from curation.rollouts.actions import Bench, Workbench
from curation.rollouts.conversation import Unit
from curation.rollouts.loop import Roller
from curation.rollouts.placebo import KINDS
from curation.rollouts.sampler import Sampler
from curation.sandbox import Sandbox
from curation.sources.base import RawSample
from curation.sources.charts import charts
from curation.sources.documents import documents
from curation.sources.easy_vqa import easy_vqa
from curation.stages.count import RIGHT
from curation.tools import toolbox
from schemas import Rollout

IN_FLIGHT = 32
"""Samples asked about at a time."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The attempts at one sample."""

    sample: RawSample
    right: int
    attempts: int
    answered: int
    """Attempts that followed the grammar up to an answer."""
    looked: int
    """Attempts with at least one observation."""

    @property
    def rate(self) -> float:
        return self.right / self.attempts


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Samples of the test splits."""

    shapes: tuple[RawSample, ...]
    pages: tuple[RawSample, ...]

    @property
    def reading(self) -> tuple[RawSample, ...]:
        """Questions whose answer stands in one evidence box."""
        return tuple(row for row in self.pages if row.metadata["skill"] == "read")


def held_out(samples: int, seed: int = 0) -> HeldOut:
    """`samples` each of easy-VQA, charts and documents."""
    settings = {"split": "test", "seed": seed, "limit": samples}
    drawn = (*charts(**settings), *documents(**settings))  # type: ignore[arg-type]
    return HeldOut(tuple(easy_vqa(**settings)), drawn)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Examiner:
    """Asks a served model about samples; observations and pictures go to `store`."""

    client: ModelClient
    store: ImageStore
    sandbox: Sandbox
    attempts: int
    temperature: float = 1.0

    async def examine(
        self,
        samples: Sequence[RawSample],
        dialect: str,
        *,
        evidence_only: bool = False,
        blank: bool = False,
    ) -> list[Tally]:
        """Tallies of `attempts` attempts at every sample, in the order of the samples."""
        roller = Roller(
            self._sampler(dialect), self.client, self.store, self._workbench(dialect, blank)
        )
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def one(sample: RawSample) -> Tally:
            async with slots:
                return _tally(sample, await roller.roll(self._unit(sample, evidence_only)))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(sample)) for sample in samples]
        return [task.result() for task in tasks]

    def _workbench(self, dialect: str, blank: bool) -> Workbench | None:
        if dialect == "direct":
            return None
        return Workbench(self.sandbox, toolbox(dialect), KINDS["blank"] if blank else Bench)

    def _sampler(self, dialect: str) -> Sampler:
        return Sampler(
            arm=dialect,
            model=self.client.model or "",
            dialect=get_dialect(dialect),
            temperature=self.temperature,
            top_p=1.0,
            max_tokens=256,
            max_turns=6,
            seed=0,
        )

    def _unit(self, sample: RawSample, evidence_only: bool) -> Unit:
        image = sample.images[0]
        if evidence_only:
            image = crop(image, sample.evidence[0])
        path = self.store.path(self.store.put(image))
        attempts = {number: str(number) for number in range(self.attempts)}
        return Unit(sample.origin_id, "held-out", sample.question, (path,), attempts)


def _tally(sample: RawSample, rollouts: Sequence[Rollout]) -> Tally:
    grades = [
        grade(rollout.prediction, sample.answers, kind=sample.answer_kind) for rollout in rollouts
    ]
    return Tally(
        sample,
        right=sum(found.value is not None and found.value > RIGHT for found in grades),
        attempts=len(rollouts),
        answered=sum(rollout.stop_reason == "answered" for rollout in rollouts),
        looked=sum(len(rollout.turns) > 1 for rollout in rollouts),
    )


def accuracy(tallies: Sequence[Tally]) -> float:
    """Share of attempts that are right."""
    return fmean(tally.rate for tally in tallies)


def followed(tallies: Sequence[Tally]) -> float:
    """Share of attempts that follow the grammar to an answer."""
    return sum(t.answered for t in tallies) / sum(t.attempts for t in tallies)


async def figures(examiner: Examiner, samples: HeldOut) -> dict[str, float]:
    """Every figure of the card, as shares from 0 to 1."""
    reading = samples.reading
    shapes = await examiner.examine(samples.shapes, "direct")
    pages = await examiner.examine(samples.pages, "direct")
    crops = await examiner.examine(reading, "direct", evidence_only=True)
    code = await examiner.examine(samples.pages, "deepeyes-v2")
    calls = await examiner.examine(samples.pages, "deepeyes")
    blank = await examiner.examine(reading, "deepeyes-v2", blank=True)
    rates = [tally.rate for tally in pages]
    without, tools, blinded = accuracy(_reading(pages)), accuracy(_reading(code)), accuracy(blank)
    gain = tools - without
    return {
        "easy_vqa_direct": accuracy(shapes),
        "pages_direct": accuracy(pages),
        "pages_never": fmean(rate == 0 for rate in rates),
        "pages_always": fmean(rate == 1 for rate in rates),
        "pages_sometimes": fmean(0 < rate < 1 for rate in rates),
        "reading_direct": without,
        "reading_crop": accuracy(crops),
        "reading_code": tools,
        "reading_zoom": accuracy(_reading(calls)),
        "reading_code_blank": blinded,
        "gain_code": gain,
        # A guess after a blank can be worse than a look at the page: then all of the gain is gone.
        "gain_lost_blank": min((tools - blinded) / gain, 1.0) if gain > 0 else 0.0,
        "grammar_code": followed(code),
        "grammar_zoom": followed(calls),
        "arithmetic_direct": accuracy(_skill(pages, "arithmetic")),
        "arithmetic_code": accuracy(_skill(code, "arithmetic")),
    }


def _skill(tallies: Sequence[Tally], skill: str) -> list[Tally]:
    return [tally for tally in tallies if tally.sample.metadata["skill"] == skill]


def _reading(tallies: Sequence[Tally]) -> list[Tally]:
    return _skill(tallies, "read")
