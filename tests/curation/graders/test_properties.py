"""What holds for every text: graders never raise, and order and white space change nothing."""

from __future__ import annotations

import random

import pytest

from curation.graders import GRADERS, MAX_ANSWER_CHARS, grade

SIGNS = [*"5½⁶²٣５$€%°'\"()[]{}=-_,.;`万三十年月日éü😀ABCa \n\u200b\x00"]
WORDS = ["1,", "1.", "1. ", "1/", "1e", "1:", "10^", "x10^", "- ", "**", "\\frac{", "\\boxed{"]
WORDS += [
    "no ",
    "not ",
    "may ",
    "yes ",
    "one ",
    "and ",
    "A and ",
    "hundred ",
    "half ",
    "or ",
    "red",
]
WORDS += ["五百", "分之", "답은", "答案是", "はい", "です", "ответ: ", "The answer is ", "<answer>"]
PIECES = SIGNS + WORDS
KINDS = sorted(set(GRADERS) - {"math"})
OPTIONS = (("red", "blue"), (), ("1", "2", "A"))


def texts(draw: random.Random, most: int) -> str:
    return "".join(draw.choices(PIECES, k=draw.randint(1, most)))


@pytest.mark.parametrize("kind", KINDS)
def test_any_text_has_a_grade_that_order_and_white_space_do_not_change(kind: str) -> None:
    draw = random.Random(kind)
    for _ in range(300):
        said = texts(draw, 12)
        answers = [texts(draw, 4) for _ in range(3)]
        choices = draw.choice(OPTIONS)
        found = grade(said, answers, kind=kind, choices=choices)
        assert found.value is None or 0 <= found.value <= 1
        assert found.explanation
        turned = grade(f"\t{said} \n", answers[::-1], kind=kind, choices=choices)
        assert turned.value == found.value, (said, answers, choices)


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_below_the_limit_takes_long(kind: str) -> None:
    """Repetition makes careless expressions backtrack for hours, and the test run time out."""
    for piece in PIECES:
        said = (piece * MAX_ANSWER_CHARS)[: MAX_ANSWER_CHARS - 1]
        found = grade(said, ["5", said[:400]], kind=kind, choices=("red", said[:50]))
        assert found.explanation
