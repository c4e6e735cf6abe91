"""Texts: normalised exact match with aliases, and ANLS."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curation.graders.base import Grade, abstain, best, final_answer, right, wrong
from curation.graders.normal import contains_words, folded, normal_form
from curation.graders.quantity import quantities

ANLS_THRESHOLD = 0.5

_DIGITS = re.compile(r"[\d.,]*\d")

_UMLAUTS_BARE = str.maketrans("äöüæø", "aouao")


def text(prediction: str, answers: Sequence[str], choices: Sequence[str] = ()) -> Grade:
    """Equal to an accepted answer in normal form.

    A longer text that contains one is left to a judge: "not Nike" contains "Nike" too. So is a
    text that differs in accents or spaces only: "resume" is not always a "résumé".
    """
    said = normal_form(final_answer(prediction))
    return best(_exact(said, normal_form(final_answer(answer))) for answer in answers)


def _exact(said: str, gold: str) -> Grade:
    if said == gold:
        return right(said, "equal in normal form")
    if alike(said, gold):
        return abstain("differs from an accepted answer in accents or spaces only", said)
    if _DIGITS.fullmatch(gold) and _values(said) == _values(gold):
        return abstain("the accepted number, written otherwise", said)
    if contains_words(said, gold):
        return abstain("an accepted answer stands inside a longer text", said)
    return wrong(said, "differs from every accepted answer")


def _values(text: str) -> list[tuple[object, ...] | None]:
    return [
        None if one is None else (one.number * one.scale, one.percent, one.unit)
        for one in quantities(text)
    ]


def alike(said: str, gold: str) -> bool:
    """Whether two normal forms are equal but for accents and spaces; umlauts may be spelt out."""
    if said.isascii() and gold.isascii() and " " not in said + gold:
        return False
    return folded(said) == folded(gold) or _bare(said) == _bare(gold)


def _bare(form: str) -> str:
    """Umlauts as their bare letters: `Zurich`."""
    return folded(form.translate(_UMLAUTS_BARE))


def anls(prediction: str, answers: Sequence[str], choices: Sequence[str] = ()) -> Grade:
    """Normalised Levenshtein similarity, 0 below the threshold: Biten et al. 2019, equation 1.

    DocVQA (Mathew et al. 2021) takes it over: case does not count, spaces do, the best of all
    accepted answers counts. At a distance of exactly half the length the equation gives 0, while
    the competition's script gives 0.5; this is the equation.
    """
    said = " ".join(prediction.lower().split())
    similarity = max((_similarity(said, " ".join(a.lower().split())) for a in answers), default=0.0)
    return Grade(similarity, said, f"ANLS {similarity:.3f}")


def _similarity(said: str, gold: str) -> float:
    longer = max(len(said), len(gold))
    if longer == 0:
        return 1.0
    distance = edit_distance(said, gold) / longer
    return 1.0 - distance if distance < ANLS_THRESHOLD else 0.0


def edit_distance(first: str, second: str) -> int:
    """Levenshtein distance, one column a step in the bits of one integer (Hyyrö 2003, figure 8)."""
    if not first or not second:
        return len(first) + len(second)
    positions: dict[str, int] = {}
    for row, sign in enumerate(first):
        positions[sign] = positions.get(sign, 0) | 1 << row
    full, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    rises, falls, distance = full, 0, len(first)
    for sign in second:
        match = positions.get(sign, 0)
        diagonal = (((match & rises) + rises) ^ rises) | match | falls
        right_rises, right_falls = falls | (full & ~(diagonal | rises)), rises & diagonal
        distance += bool(right_rises & last) - bool(right_falls & last)
        right_rises = right_rises << 1 | 1
        rises = (right_falls << 1 | ~(diagonal | right_rises)) & full
        falls = diagonal & right_rises & full
    return distance
