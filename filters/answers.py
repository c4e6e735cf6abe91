"""Filters on the gold answer and the options."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from filters.bounds import between

_YES_NO = r"(?i)^\s*(?:yes|no|true|false)\s*[.!]?\s*$"


def no_yes_no(answer: pa.StringArray, answer_kind: pa.StringArray) -> pa.BooleanArray:
    """Drop yes/no answers: a coin flip passes them half the time."""
    by_kind = pc.equal(answer_kind, "yes_no")
    return pc.invert(pc.or_(by_kind, pc.match_substring_regex(answer, _YES_NO)))


def answer_length(
    answer_chars: pa.Int64Array, *, at_least: int = 1, at_most: int = 299
) -> pa.BooleanArray:
    """Keep gold answers whose length in characters is within bounds.

    DeepEyesV2's reward gives an answer of 300 characters or more nothing.
    """
    return between(answer_chars, at_least, at_most)


def no_guessable(
    choice_count: pa.Int64Array, answer_kind: pa.StringArray, *, options: int = 4
) -> pa.BooleanArray:
    """Drop questions with at most `options` options: a guess passes one in so many.

    Yes/no questions have two; questions without options are kept.
    """
    if options < 2:
        raise ValueError(f"options = {options}: nothing would be dropped, give 2 or more")
    listed = pc.and_(pc.greater(choice_count, 0), pc.less_equal(choice_count, options))
    return pc.invert(pc.or_(listed, pc.equal(answer_kind, "yes_no")))


def choices_well_formed(
    choices: pa.ListArray, answer: pa.StringArray, answer_kind: pa.StringArray
) -> pa.BooleanArray:
    """Drop multiple-choice questions whose options repeat, are empty, or lack the gold answer.

    The gold answer is an option's letter or its text; questions of other kinds are kept.
    """
    rows = zip(choices.to_pylist(), answer.to_pylist(), answer_kind.to_pylist(), strict=True)
    return pa.array([None if None in row else _well_formed(*row) for row in rows], pa.bool_())


def _well_formed(choices: Sequence[str], answer: str, kind: str) -> bool:
    if kind != "choice":
        return True
    texts = [_folded(choice) for choice in choices]
    if len(texts) < 2 or len(set(texts)) < len(texts) or not all(texts):
        return False
    letters = [chr(ord("a") + place) for place in range(len(texts))]
    gold = _folded(answer)
    return gold in texts or gold.strip("().: ") in letters


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
