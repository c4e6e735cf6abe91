"""Filters: plain functions that say for every sample whether to keep it.

Positional parameters are columns of `Measure` and `Sample` by name, keyword-only ones are settings.
A null column gives a null: an unmeasured sample is neither kept nor judged. `__all__` is the
catalogue that recipes choose from; `filters.bind` resolves a name of it and checks its settings.
"""

from filters.answers import answer_length, choices_well_formed, no_guessable, no_yes_no
from filters.catalogue import COLUMNS as COLUMNS
from filters.catalogue import Filter as Filter
from filters.catalogue import bind as bind
from filters.catalogue import columns_of as columns_of
from filters.evidence import evidence_fraction
from filters.images import max_aspect_ratio, max_pixels, min_image_side, not_blank
from filters.questions import (
    no_leaked_answer,
    no_literal_placeholder,
    question_length,
    question_script,
)

__all__ = [
    "answer_length",
    "choices_well_formed",
    "evidence_fraction",
    "max_aspect_ratio",
    "max_pixels",
    "min_image_side",
    "no_guessable",
    "no_leaked_answer",
    "no_literal_placeholder",
    "no_yes_no",
    "not_blank",
    "question_length",
    "question_script",
]
