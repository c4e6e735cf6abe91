"""Samples and what is measured and decided about them before any model is asked."""

from __future__ import annotations

from dataclasses import dataclass

ANSWER_KINDS = ("choice", "number", "exact_number", "text", "math", "yes_no", "list", "date")
"""A number may be off by 5 %, as one read off a chart; an exact number is printed or counted."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the original image, right and bottom exclusive."""

    image: int
    """Position in `Sample.image_ids`, from 0."""
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the run; its bytes lie in `images/`, once, unchanged."""

    image_id: str
    """SHA-256 of the encoded bytes, hexadecimal."""
    width: int
    height: int
    format: str
    """Pillow's name: PNG, JPEG, WEBP, ..."""
    size: int
    """Encoded bytes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A question about images with its gold answers."""

    sample_id: str
    """SHA-256 over question, answers, choices and image ids: content, never position."""
    source: str
    """Name of the source in the recipe."""
    origin_id: str
    """Identity of the row inside its source."""
    question: str
    answers: tuple[str, ...]
    """The gold answer first, accepted aliases after it."""
    answer_kind: str
    """One of ANSWER_KINDS: which grader decides."""
    choices: tuple[str, ...]
    image_ids: tuple[str, ...]
    evidence: tuple[Box, ...]
    """Where the answer can be read, if the source says so."""
    category: str
    """perception, chart, document, reason or search."""
    license: str
    origin: str
    """Where the row comes from: package, data set with revision, or path."""
    metadata: str
    """JSON text of whatever else the source gave."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What filters decide on; null where it could not be measured."""

    sample_id: str
    image_count: int
    min_image_side: int | None
    max_image_pixels: int | None
    max_aspect_ratio: float | None
    """Longer over shorter side, the largest of the sample's images."""
    image_spread: float | None
    """Standard deviation of the grey values (0 to 127.5), the smallest of the images."""
    question_chars: int
    answer_chars: int
    choice_count: int
    evidence_fraction: float | None
    """Area of the evidence boxes over the area of their images."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A sample whose images and normalised question equal those of an earlier one."""

    sample_id: str
    duplicate_of: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about a sample, with every reason."""

    sample_id: str
    kept: bool
    dropped_by: str | None
    """The first rule that dropped it; null when kept."""
    failed: tuple[str, ...]
    """Every rule that would have dropped it."""
    split: str | None
    """rl or cold_start where kept by a preset that splits, text where a sample without an image
    brings its solution; null otherwise."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that a stage could not process: kept with its reason, never lost."""

    key: str
    """sample_id, rollout_id or, before a sample exists, the source's own row id."""
    stage: str
    source: str
    error: str
    """Class of the exception or of the fault."""
    message: str
    """One sentence: what, where, and how to mend it."""
    payload: str
    """JSON text that identifies the row for a replay."""
