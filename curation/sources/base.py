"""What a source yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas import Box


@dataclass(frozen=True, slots=True)
class RawSample:
    """A question about encoded images, before it has an identity in a run."""

    origin_id: str
    """Identity of the row inside its source."""
    images: tuple[bytes, ...]
    """Encoded as the source holds them; they are never decoded and encoded again."""
    question: str
    answers: tuple[str, ...]
    """The gold answer first, accepted aliases after it."""
    answer_kind: str
    """One of `schemas.sample.ANSWER_KINDS`."""
    category: str
    license: str
    origin: str
    """Package, data set with revision, or path."""
    choices: tuple[str, ...] = ()
    evidence: tuple[Box, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    solution: str = ""
    """A worked solution, where the source has one; a row with one needs no image."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no sample, and why."""

    origin_id: str
    error: str
    """Class of the fault, such as `missing_answer`."""
    message: str
    """One sentence: what is wrong, where, and how to mend it."""


Row = RawSample | BadRow
