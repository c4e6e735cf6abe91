"""Filters on the question."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from filters.bounds import between

SCRIPTS = (
    "arabic", "bengali", "cyrillic", "devanagari", "greek", "hangul", "han", "hebrew",
    "hiragana", "katakana", "latin", "tamil", "thai",
)  # fmt: skip
"""Scripts that `question_script` knows, by their Unicode names."""

# What separates messages, images and tool calls for trainers and models.
_PLACEHOLDERS = (
    r"(?i)<\s*/?\s*(?:image|video|audio|code|think|answer|tool_call|tool_response|tools|img)\s*/?>"
    r"|<\|[^<>|]*\|>|```"
)
_NUMERIC = re.compile(r"[\d\W_]*")
_OPEN_KINDS = ("text", "list", "date")


def question_length(
    question_chars: pa.Int64Array, *, at_least: int = 5, at_most: int = 2000
) -> pa.BooleanArray:
    """Keep questions whose length in characters is within bounds."""
    return between(question_chars, at_least, at_most)


def no_literal_placeholder(
    question: pa.StringArray, answer: pa.StringArray, choices: pa.ListArray
) -> pa.BooleanArray:
    """Drop samples that spell a placeholder, a tag or a code fence out, such as `<image>`.

    In a conversation it would stand for an image too many, or end a turn.
    """
    # binary_join has no kernel for lists whose elements are declared non-null.
    options = pc.binary_join(pc.cast(choices, pa.list_(pa.string())), "\n")
    text = pc.binary_join_element_wise(question, answer, options, "\n")
    return pc.invert(pc.match_substring_regex(text, _PLACEHOLDERS))


def no_leaked_answer(
    question: pa.StringArray, answer: pa.StringArray, answer_kind: pa.StringArray
) -> pa.BooleanArray:
    """Drop open questions that hold their answer as whole words; numbers do not count.

    A question that offers its answer beside others ("red or blue?") goes too: it can be guessed.
    """
    rows = zip(question.to_pylist(), answer.to_pylist(), answer_kind.to_pylist(), strict=True)
    return pa.array([None if None in row else not _leaks(*row) for row in rows], pa.bool_())


def _leaks(question: str, answer: str, kind: str) -> bool:
    if kind not in _OPEN_KINDS or _NUMERIC.fullmatch(answer):
        return False
    words = re.escape(" ".join(answer.casefold().split()))
    # Scripts without spaces have no word bounds.
    found = words if "\u2e80" <= answer.strip()[0] <= "\ud7ff" else rf"(?<!\w){words}(?!\w)"
    return re.search(found, " ".join(question.casefold().split())) is not None


def question_script(
    question: pa.StringArray, *, scripts: Sequence[str] = ("latin",), at_least: float = 0.5
) -> pa.BooleanArray:
    """Keep questions of whose letters at least such a share is written in one of the scripts.

    The script tells languages apart roughly and without a model: Chinese is `han`, Japanese `han`,
    `hiragana` and `katakana`, Korean `hangul`. A question without letters is kept.
    """
    unknown = sorted(set(scripts) - set(SCRIPTS))
    if unknown or not scripts:
        named = ", ".join(unknown) or "no script"
        raise ValueError(f"scripts = {named}: choose from {', '.join(SCRIPTS)}")
    classes = "".join(rf"\p{{{script.capitalize()}}}" for script in scripts)
    letters = pc.count_substring_regex(question, r"\p{L}")
    own = pc.count_substring_regex(question, f"[{classes}]")
    return pc.greater_equal(pc.cast(own, pa.float64()), pc.multiply(letters, at_least))
