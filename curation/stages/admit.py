"""What makes a source's row a sample: everything that is checked before it has an identity."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from curation.graders import MAX_ANSWER_CHARS, self_check
from curation.images import BadImageError, identify
from curation.sources import RawSample
from curation.stage import to_json
from schemas import Box, Image, Sample
from schemas.sample import ANSWER_KINDS

SOLUTION = "solution"
"""Where a sample's metadata holds the solution that its source brought."""
_RESERVED = re.compile(r"<image>|<video>|<\|[a-z_]+\|>")
"""Text that a chat template or a trainer's loader takes for something else."""


class RowError(ValueError):
    """Why a row is no sample; `fault` is the class of the fault for the quarantine."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Admitted:
    """A sample with its images, as they will be stored."""

    sample: Sample
    images: tuple[tuple[Image, bytes], ...]


def admit(source: str, row: RawSample) -> Admitted:
    """The sample that a row is.

    Raises:
        RowError: what is wrong with it and how to mend it.
    """
    _check_text(row)
    _check_answers(row)
    images = _images(row)
    for box in row.evidence:
        _check_box(box, [image for image, _ in images])
    image_ids = tuple(image.image_id for image, _ in images)
    sample = Sample(
        sample_id=sample_id(row, image_ids),
        source=source,
        origin_id=row.origin_id,
        question=row.question,
        answers=tuple(row.answers),
        answer_kind=row.answer_kind,
        choices=tuple(row.choices),
        image_ids=image_ids,
        evidence=tuple(row.evidence),
        category=row.category,
        license=row.license,
        origin=row.origin,
        metadata=to_json({**row.metadata, **({SOLUTION: row.solution} if row.solution else {})}),
    )
    return Admitted(sample, images)


def sample_id(row: RawSample, image_ids: tuple[str, ...]) -> str:
    """The content's hash: the same row has the same id in every run and at every position."""
    content = to_json([row.question, list(row.answers), list(row.choices), list(image_ids)])
    return hashlib.sha256(content.encode()).hexdigest()


def _check_text(row: RawSample) -> None:
    if not row.question.strip():
        raise RowError("missing_question", "it has no question: fill the question or drop the row")
    for text in (row.question, *row.choices):
        if found := _RESERVED.search(text):
            raise RowError(
                "reserved_text",
                f"its question holds the literal {found[0]!r}, which chat templates take for"
                " something else: reword it",
            )


def _check_answers(row: RawSample) -> None:
    if isinstance(row.answers, str) or not all(isinstance(text, str) for text in row.answers):
        raise RowError("answer_no_text", f"its answers {row.answers!r} are no texts: write them so")
    if not row.answers or not all(text.strip() for text in row.answers):
        raise RowError("missing_answer", "its answer is missing or empty: fill it or drop the row")
    longest = max(map(len, row.answers))
    if longest >= MAX_ANSWER_CHARS:
        raise RowError(
            "answer_too_long",
            f"its answer has {longest:,} characters, and from {MAX_ANSWER_CHARS:,} on none can be"
            " verified: shorten it",
        )
    if row.answer_kind not in ANSWER_KINDS:
        raise RowError(
            "answer_kind",
            f"its answer kind is {row.answer_kind!r}: use one of {', '.join(ANSWER_KINDS)}",
        )
    gold = self_check(row.answers, row.answer_kind, row.choices)
    if gold.value != 1:
        raise RowError(
            "unverifiable_answer",
            f"its answer {row.answers[0]!r} does not pass its own {row.answer_kind} grader"
            f" ({gold.explanation}): correct the answer or its kind",
        )


def _images(row: RawSample) -> tuple[tuple[Image, bytes], ...]:
    if not row.images and not row.solution:
        raise RowError("missing_image", "it has no image: add one or drop the row")
    try:
        return tuple((identify(encoded), encoded) for encoded in row.images)
    except BadImageError as error:
        raise RowError(error.fault, f"one of its images is unusable: {error}") from None


def _check_box(box: Box, images: list[Image]) -> None:
    if not 0 <= box.image < len(images):
        raise RowError(
            "evidence_box", f"its evidence is in image {box.image}, and it has {len(images)}"
        )
    width, height = images[box.image].width, images[box.image].height
    if not (0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height):
        edges = (box.left, box.top, box.right, box.bottom)
        raise RowError(
            "evidence_box",
            f"its evidence box {edges} does not lie in the image of {width} x {height} pixels:"
            " check the box format",
        )
