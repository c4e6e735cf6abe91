"""Measure: numbers about images and texts that filters decide on, once a sample."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.images import BadImageError, decode
from curation.job import Job
from curation.runs import Run
from curation.stage import (
    Count,
    PartWriter,
    Stage,
    batches,
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
_PIECE = 64
"""Samples in one piece of work: with large images some 100 MB on their way to a cluster."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is measured of one image."""

    width: int
    height: int
    spread: float
    """Standard deviation of the grey values, 0 to 127.5."""


def measure(job: Job) -> Count:
    """Measure every sample; one whose image cannot be decoded goes to quarantine.

    Raises:
        RunError: the recipe's task runner cannot be reached.
    """
    if not (owed := job.owed(STAGE)):
        return job.count(STAGE)
    with (
        PartWriter(job.run.table(STAGE.table), STAGE.name, {}, max_rows=8192) as measures,
        quarantine_writer(job.run, STAGE.name) as failures,
        job.reporter.stage(STAGE.name, owed, "samples") as meter,
    ):
        for outcomes in job.task_runner().map(measured, _pieces(job.run)):
            measures.add([each for each in outcomes if isinstance(each, Measure)])
            failures.add([each for each in outcomes if isinstance(each, Quarantined)])
            meter.advance(len(outcomes))
    return job.count(STAGE)


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples to be measured with all that it takes, wherever that is done."""

    rows: Sequence[Mapping[str, Any]]
    images: Mapping[str, bytes]
    """Encoded, by their ids; each once, however many samples ask about it."""


def _pieces(run: Run) -> Iterator[Piece]:
    # Questions about one picture follow each other, so that it is read and decoded once.
    ordered = f"SELECT wanted.* {STAGE.owed} ORDER BY wanted.image_ids"
    for batch in batches(run, ordered, rows=_PIECE):
        rows = batch.to_pylist()
        ids = {image_id for row in rows for image_id in row["image_ids"]}
        yield Piece(rows, {image_id: run.images.read(image_id) for image_id in ids})


def measured(piece: Piece) -> list[Measure | Quarantined]:
    """One outcome a sample."""
    look = functools.cache(lambda image_id: measure_image(piece.images[image_id]))
    return [_measured(look, row) for row in piece.rows]


def measure_image(encoded: bytes) -> Picture:
    """Decode an image and measure it.

    Raises:
        BadImageError: its bytes are damaged behind a sound header.
    """
    image = decode(encoded)
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    return Picture(image.width, image.height, float(grey.std()))


def _measured(look: Callable[[str], Picture], row: Mapping[str, Any]) -> Measure | Quarantined:
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
