"""Measure: numbers about images and texts that filters decide on, once a sample."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.images import BadImageError, ImageStore, decode
from curation.job import Job
from curation.stage import (
    Count,
    PartWriter,
    Stage,
    batches,
    count_stage,
    failed_row,
    quarantine_writer,
)
from schemas import Measure, Quarantined

STAGE = Stage(
    name="measure",
    table="measures",
    key="sample_id",
    wanted="""SELECT sample_id, source, question, answers, choices, image_ids, evidence
              FROM samples""",
)


@dataclass(frozen=True, slots=True)
class Picture:
    """What is measured of one image."""

    width: int
    height: int
    spread: float
    """Standard deviation of the grey values, 0 to 127.5."""


def measure(job: Job) -> Count:
    """Measure every sample; one whose image cannot be decoded goes to quarantine."""
    if not (owed := job.owed(STAGE)):
        return count_stage(job.run, STAGE)
    look = functools.lru_cache(maxsize=4096)(functools.partial(measure_image, job.run.images))
    with (
        PartWriter(job.run.table(STAGE.table), STAGE.name, {}, max_rows=8192) as measures,
        quarantine_writer(job.run, STAGE.name) as failures,
        job.reporter.stage(STAGE.name, owed, "samples") as meter,
        ThreadPoolExecutor() as pool,
    ):
        for batch in batches(job.run, f"SELECT wanted.* {STAGE.owed}"):
            for outcome in pool.map(functools.partial(_measured, look), batch.to_pylist()):
                (measures if isinstance(outcome, Measure) else failures).add([outcome])
            meter.advance(batch.num_rows)
    return count_stage(job.run, STAGE)


def measure_image(store: ImageStore, image_id: str) -> Picture:
    """Decode an image and measure it.

    Raises:
        BadImageError: its bytes are damaged behind a sound header.
    """
    image = decode(store.read(image_id))
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    return Picture(image.width, image.height, float(grey.std()))


def _measured(look: Any, row: Mapping[str, Any]) -> Measure | Quarantined:
    try:
        pictures = [look(image_id) for image_id in row["image_ids"]]
    except BadImageError as error:
        message = f"sample {row['sample_id'][:12]}: one of its images is unusable: {error}"
        key, source = row["sample_id"], row["source"]
        return failed_row(STAGE.name, key, source, error.fault, message, sample_id=key)
    return Measure(
        sample_id=row["sample_id"],
        image_count=len(pictures),
        min_image_side=min((min(p.width, p.height) for p in pictures), default=None),
        max_image_pixels=max((p.width * p.height for p in pictures), default=None),
        max_aspect_ratio=max((_aspect(p) for p in pictures), default=None),
        image_spread=min((p.spread for p in pictures), default=None),
        question_chars=len(row["question"]),
        answer_chars=len(row["answers"][0]),
        choice_count=len(row["choices"]),
        evidence_fraction=_evidence_fraction(row["evidence"], pictures),
    )


def _aspect(picture: Picture) -> float:
    return max(picture.width, picture.height) / min(picture.width, picture.height)


def _evidence_fraction(
    boxes: Sequence[Mapping[str, int]], pictures: Sequence[Picture]
) -> float | None:
    """Area of the boxes over the area of the images that they lie in; overlaps count twice."""
    if not boxes:
        return None
    area = sum((b["right"] - b["left"]) * (b["bottom"] - b["top"]) for b in boxes)
    seen = {box["image"] for box in boxes}
    return min(area / sum(pictures[i].width * pictures[i].height for i in seen), 1.0)
