"""Every labelled case of `cases.tsv`: kind, expected value, prediction, answers and any options.

In the table `||` separates answers and options, `-` stands for an abstention, `⏎` for a line break.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pytest

from curation.graders import grade


class Case(NamedTuple):
    kind: str
    value: str
    prediction: str
    answers: str
    choices: str = ""

    def grade(self, *, reverse: bool = False, around: str = "") -> float | None:
        answers = _parts(self.answers)
        graded = grade(
            around + self.prediction.replace("⏎", "\n") + around,
            [around + answer + around for answer in answers[:: -1 if reverse else 1]],
            kind=self.kind,
            choices=[around + choice + around for choice in _parts(self.choices)],
        )
        assert graded.explanation
        return graded.value


def _parts(cell: str) -> list[str]:
    return [part.replace("⏎", "\n") for part in cell.split(" || ")] if cell else []


def _cases() -> list[Case]:
    text = (Path(__file__).parent / "cases.tsv").read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines()[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    return [Case(*row) for row in rows]


CASES = _cases()
IDS = [f"{case.kind}:{case.prediction}~{case.answers}" for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_value(case: Case) -> None:
    expected = None if case.value == "-" else pytest.approx(float(case.value), abs=5e-5)
    assert case.grade() == expected


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_order_of_answers_and_white_space_change_nothing(case: Case) -> None:
    assert case.grade(reverse=True) == case.grade()
    assert case.grade(around=" \t\n ") == case.grade()


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 400
