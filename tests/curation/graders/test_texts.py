"""Edit distance against its definition, and the normal form."""

from __future__ import annotations

import itertools
import random

import pytest

from curation.graders import grade
from curation.graders.normal import contains_words, normal_form
from curation.graders.texts import edit_distance


def defined(first: str, second: str) -> int:
    """Levenshtein's recurrence, row by row."""
    row = list(range(len(second) + 1))
    for i, sign in enumerate(first, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(second, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (sign != other))
    return row[-1]


def test_edit_distance_of_all_short_texts() -> None:
    texts = ["".join(signs) for size in range(5) for signs in itertools.product("ab", repeat=size)]
    for first, second in itertools.product(texts, texts):
        assert edit_distance(first, second) == defined(first, second)


@pytest.mark.parametrize("seed", range(20))
def test_edit_distance_of_long_texts(seed: int) -> None:
    draw = random.Random(seed)
    first, second = ("".join(draw.choices("abcdé字", k=draw.randint(60, 150))) for _ in range(2))
    assert edit_distance(first, second) == defined(first, second)
    assert edit_distance(second, first) == defined(first, second)


@pytest.mark.parametrize("seed", range(20))
def test_anls_is_its_equation(seed: int) -> None:
    """Biten et al. 2019, equation 1: the best of 1 - NL where NL is below 0.5, otherwise 0."""
    draw = random.Random(seed)
    said, *golds = ("".join(draw.choices("abc", k=draw.randint(1, 8))) for _ in range(4))
    lengths = [(defined(said, gold), max(len(said), len(gold))) for gold in golds]
    scores = [1 - edits / longest for edits, longest in lengths if 2 * edits < longest]
    assert grade(said, golds, kind="anls").value == pytest.approx(max(scores, default=0.0))


@pytest.mark.parametrize("text", ["The U.S.A.", "A", "3½ dogs", "“Don’t!”", "北京。", "...", ""])
def test_the_normal_form_is_its_own(text: str) -> None:
    assert normal_form(normal_form(text)) == normal_form(text)


@pytest.mark.parametrize(
    ("text", "words", "held"),
    [
        ("a red car", "red", True),
        ("a red car", "red car", True),
        ("hundred cars", "red", False),
        ("red", "red car", False),
        ("在北京市", "北京", True),
        ("red", "", False),
    ],
)
def test_words_are_found_whole(text: str, words: str, held: bool) -> None:
    assert contains_words(text, words) is held
