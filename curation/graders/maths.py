"""Mathematical expressions, compared as such by math-verify."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curation.graders.base import Grade, abstain, best, final_answer, right, wrong
from curation.graders.normal import denies
from curation.graders.symbolic import SYMBOLIC

MAX_CHARS = 300
"""Longer expressions are not compared: no final answer needs them, and the cost grows fast."""

_SPACING = re.compile(r"\\[,;:! ]|\\left|\\right|\\quad|\$|\s+")
_HEDGE = re.compile(r"(?<![\\\w])(?:or|oder|ou)(?!\w)|或")
_FORMULA = re.compile(r"\$([^$]+)\$|\\\((.+?)\\\)")
_WORD = re.compile(
    r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|pi|max|min|gcd|lcm|mod|det)\b)"
    r"[A-Za-z]{2,}"
)
_PROSE_WORDS = 3
_OUTCOMES = {
    "unread_gold": "the accepted answer is no expression",
    "unread_answer": "no expression in the answer",
    "late": "the comparison took too long",
    "failed": "the expressions could not be compared",
}


def math(prediction: str, answers: Sequence[str], choices: Sequence[str] = ()) -> Grade:
    """Equal as expressions: `1/2`, `\\frac{1}{2}` and `0.5` are the same.

    Abstains where math-verify reads no expression, fails, or takes too long, and for alternatives
    ("2 or 3"), of which it would compare the last.
    """
    said = final_answer(prediction)
    return best(_against(said, final_answer(answer)) for answer in answers)


def _against(said: str, gold: str) -> Grade:
    if _written(said) == _written(gold) and any(sign.isalnum() for sign in gold):
        return right(said, "written the same")
    if max(len(said), len(gold)) > MAX_CHARS:
        return abstain(f"longer than {MAX_CHARS} characters", said)
    if _HEDGE.search(said) and not _HEDGE.search(gold):
        return abstain("the answer names alternatives", said)
    stated = _stated(said)
    if stated is None:
        return abstain("no single expression stands out of the sentence", said)
    outcome = SYMBOLIC.compare(stated, gold)
    if outcome in _OUTCOMES:
        return abstain(_OUTCOMES[outcome], said)
    return right(said, "equal") if outcome == "equal" else wrong(said, "not equal")


def _stated(said: str) -> str | None:
    """The expression of an answer; of a sentence, its only marked one unless it is denied.

    math-verify would read the letters of a sentence as factors, or its last number as the answer.
    """
    if len(_WORD.findall(said)) < _PROSE_WORDS:
        return said
    formulas = _FORMULA.findall(said)
    if len(formulas) != 1 or denies(said):
        return None
    return "".join(formulas[0])


def _written(text: str) -> str:
    """The expression without what only spaces it."""
    return _SPACING.sub("", text.replace("\\dfrac", "\\frac").rstrip(" ."))
