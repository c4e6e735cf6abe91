"""Numbers: the relaxed accuracy of ChartQA, over numbers as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from curation.graders.base import Grade, abstain, best, final_answer, unanimous, wrong
from curation.graders.normal import denies
from curation.graders.numerals import may_be_number
from curation.graders.quantity import Quantity, quantities
from curation.graders.texts import text
from curation.graders.units import is_known

RELAXED = Decimal("0.05")

_BOUND = re.compile(
    r"(?:\b(?:(?:more|less|fewer|greater|higher|lower) than|over|under|above|below|up to|at least"
    r"|at most|mehr als|weniger als|über|unter|mindestens|höchstens|plus de|moins de|más de"
    r"|menos de|più di|meno di|mais de|более|менее|свыше)\s+|超过|不到|[<>≥≤]\s?)[$€£¥]?\d",
    re.IGNORECASE,
)
_NUMERO = re.compile(r"\b(?:no\.|nr\.?|nº|n°)\s?(?=\d)|№\s?", re.IGNORECASE)
_NOTHING = re.compile(
    r"\b(?:nothing|nobody|nil|empty|without|nichts|rien|nada|niente)\b|[无無]", re.IGNORECASE
)
_DEGREES = (frozenset({"angle", "celsius"}), frozenset({"angle", "fahrenheit"}))
"""A bare `°` on the scale that is asked for."""
_SPELT_ALIKE = tuple(
    frozenset(pair)
    for pair in (("mass", "pound"), ("yen", "yuan"), ("length", "time"), ("length", "months"))
)
"""`pounds`, `¥` and `m` mean either."""


def number(
    prediction: str,
    answers: Sequence[str],
    choices: Sequence[str] = (),
    *,
    tolerance: Decimal | str = RELAXED,
    exact_years: bool = False,
) -> Grade:
    """Within `tolerance` of the accepted number, relative to it, the bound included.

    Relaxed accuracy of PlotQA (Methani et al. 2020) and ChartQA (Masry et al. 2022, section 5.1).
    Beyond the published script: separators, units, scale words and fractions are read, `5%` equals
    both 5 and 0.05, an accepted 0 needs a 0, and floating point does not move the bound.
    A tolerance of 0 asks for the very number (counts); `exact_years` does so for whole numbers
    from 1500 to 2100 without a unit, since 5 % of a year is a century.
    """
    stated = _NUMERO.sub("", final_answer(prediction))
    said = quantities(stated)
    if said and denies(stated):
        return abstain("the number may be what is denied", stated)
    if _BOUND.search(stated) and not any(map(_BOUND.search, answers)):
        return abstain("the number only bounds the answer", stated)
    bound = Decimal(tolerance)
    if not said:
        return best(_unread(stated, answer) for answer in answers)
    return best(_against(said, answer, bound, exact_years) for answer in answers)


def relaxed(prediction: str, answers: Sequence[str], choices: Sequence[str] = ()) -> Grade:
    """ChartQA's whole definition: relaxed for a number, exact match for any other answer."""
    return best((number if _gold(one) else text)(prediction, [one], choices) for one in answers)


def _against(
    said: tuple[Quantity | None, ...], answer: str, tolerance: Decimal, exact_years: bool
) -> Grade:
    gold = _gold(answer)
    if gold is None:
        return abstain(f"the accepted answer {answer!r} is not one number")
    bound = Decimal(0) if exact_years and _is_year(gold) else tolerance
    extracted = " | ".join("?" if one is None else str(one) for one in said)
    outcomes = [None if one is None else same_quantity(one, gold, bound) for one in said]
    within = f"within {float(bound) * 100:g} %: " if bound else ""
    return unanimous(outcomes, extracted, f"{within}{extracted} and {gold}")


def _gold(answer: str) -> Quantity | None:
    found = quantities(_NUMERO.sub("", final_answer(answer)))
    return found[0] if len(found) == 1 else None


def _unread(stated: str, answer: str) -> Grade:
    """Without digits: wrong, unless it may be a number in words, or "no cars" for 0."""
    gold = _gold(answer)
    if gold is None:
        return abstain(f"the accepted answer {answer!r} is not one number")
    if may_be_number(stated):
        return abstain("the answer may be a number in words", stated)
    if gold.number == 0 and (denies(stated) or _NOTHING.search(stated)):
        return abstain("the answer may mean zero", stated)
    return wrong(None, "no number in the answer")


def _is_year(gold: Quantity) -> bool:
    return gold.integer and 1500 <= gold.number <= 2100


def same_quantity(said: Quantity, gold: Quantity, tolerance: Decimal) -> bool | None:
    """Whether two quantities agree; None where digits, units or scales leave it open."""
    same = _same(said, gold, tolerance)
    if same is not False or not (said.others or gold.others):
        return same
    doubtful = any(
        _same(one, other, tolerance) for one in _readings(said) for other in _readings(gold)
    )
    return None if doubtful else False


def _readings(quantity: Quantity) -> list[Quantity]:
    return [quantity, *(replace(quantity, number=number) for number in quantity.others)]


def _same(said: Quantity, gold: Quantity, tolerance: Decimal) -> bool | None:
    one, other = said.number * said.scale, gold.number * gold.scale
    if said.unit and gold.unit:
        pair = frozenset((said.unit[0], gold.unit[0]))
        if pair in _DEGREES:
            return _close(one, other, tolerance)
        if pair in _SPELT_ALIKE:
            return None if _close(one, other, tolerance) else False
        if len(pair) > 1:
            known = is_known(said.unit[0]) and is_known(gold.unit[0])
            return None if not known and _close(one, other, tolerance) else False
        one, other = one * said.unit[1], other * gold.unit[1]
    if _close(one, other, tolerance) or _close_as_share(said, gold, one, other, tolerance):
        return True
    # "45 million" against 45: the axis of the chart may be in millions.
    bare = (said.scale == 1) != (gold.scale == 1) and _close(said.number, gold.number, tolerance)
    return None if bare else False


def _close_as_share(
    said: Quantity, gold: Quantity, one: Decimal, other: Decimal, tolerance: Decimal
) -> bool:
    """Whether 45 % meets 0.45; that 45 % meets 45 is the plain comparison."""
    if said.percent == gold.percent:
        return False
    share = one / 100 if said.percent else one * 100
    return _close(share, other, tolerance)


def _close(one: Decimal, other: Decimal, tolerance: Decimal) -> bool:
    return abs(one - other) <= tolerance * abs(other)
