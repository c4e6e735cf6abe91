"""The published relaxed accuracy, and the reading of digits with separators."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from curation.graders import grade, number
from curation.graders.quantity import quantities, read_digits

VALUES = ["0.5", "1", "-1", "19", "20", "21", "94", "95", "99.5", "100", "105", "106", "-100"]


def published(said: str, gold: str) -> bool:
    """Relative change of at most 5 %, for an accepted answer other than 0."""
    return abs(Decimal(said) - Decimal(gold)) / abs(Decimal(gold)) <= Decimal("0.05")


@pytest.mark.parametrize(("said", "gold"), list(itertools.product(VALUES, VALUES)))
def test_plain_numbers_are_graded_as_published(said: str, gold: str) -> None:
    assert grade(said, [gold], kind="number").value == float(published(said, gold))


def test_the_tolerance_is_relative_to_the_accepted_answer() -> None:
    assert grade("95", ["100"], kind="number").value == 1.0
    assert grade("100", ["95"], kind="number").value == 0.0


def test_the_tolerance_is_a_setting() -> None:
    assert number("109", ["100"], tolerance="0.1").value == 1.0
    assert number("111", ["100"], tolerance="0.1").value == 0.0


def test_the_tolerance_is_told_to_whoever_wonders_why_45_is_46() -> None:
    assert number("45", ["46"]).explanation == "within 5 %: 45 and 46 agree"
    assert number("25", ["46"], tolerance="0.025").explanation == "within 2.5 %: 25 and 46 differ"
    assert number("45", ["46"], tolerance="0").explanation == "45 and 46 differ"


def test_only_whole_numbers_of_a_century_we_know_are_years() -> None:
    assert number("2018", ["2019"], exact_years=True).value == 0.0
    assert number("2018.5", ["2019.5"], exact_years=True).value == 1.0
    assert number("$2,018", ["$2,019"], exact_years=True).value == 1.0


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("1234", "1234"),
        ("1,234", "1234"),
        ("1.234", "1.234"),
        ("1,234.5", "1234.5"),
        ("1.234,5", "1234.5"),
        ("1.234.567", "1234567"),
        ("12,34,567", "1234567"),
        ("1,5", "1.5"),
        ("0,123", "0.123"),
        ("1234,567", "1234.567"),
        (",5", "0.5"),
        ("1.2.3", None),
        ("1,2,3", None),
        ("1234,567,890", None),
        ("0,123,456", None),
        ("1.23,4", None),
        ("1,234,567.8.9", None),
    ],
)
def test_separators(digits: str, value: str | None) -> None:
    assert read_digits(digits) == (None if value is None else Decimal(value))


def test_every_number_of_a_text_is_found_in_order() -> None:
    found = quantities("From 3 km to $4.5bn, then 1.2.3 and 20 %")
    assert [str(one) for one in found] == ["3 length", "4500000000.0 dollar", "None", "20%"]


def test_what_was_compared_is_told() -> None:
    graded = grade("45 of 60", ["45"], kind="number")
    assert graded.extracted == "45 | 60"
    assert "may agree or not" in graded.explanation
