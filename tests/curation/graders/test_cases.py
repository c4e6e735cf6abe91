"""Every labelled case of `cases/<kind>.toml`.

A group says why its cases are graded as they are, under `right`, `wrong`, `unscored`, or `graded`
with a value; a case is a prediction and the accepted answer, or a list of several. `choices` are
the options of all cases of a group.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from curation.graders import GRADERS, grade, self_check

FOLDER = Path(__file__).parent / "cases"
VALUES = {"right": 1.0, "wrong": 0.0, "unscored": None}


@dataclass(frozen=True)
class Case:
    kind: str
    why: str
    prediction: str
    answers: tuple[str, ...]
    choices: tuple[str, ...]
    value: float | None

    def grade(self, *, shuffle: int | None = None, around: str = "") -> float | None:
        """The grade; with the accepted answers in another order, with white space around all."""
        answers = [around + answer + around for answer in self.answers]
        if shuffle is not None:
            random.Random(shuffle).shuffle(answers)
        graded = grade(
            around + self.prediction + around,
            answers,
            kind=self.kind,
            choices=[around + choice + around for choice in self.choices],
        )
        assert graded.explanation
        return graded.value


def _cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.toml")):
        for group in tomllib.loads(path.read_text(encoding="utf-8"))["groups"]:
            for outcome in (*VALUES, "graded"):
                for prediction, accepted, *value in group.get(outcome, ()):
                    yield Case(
                        kind=path.stem,
                        why=group["why"],
                        prediction=prediction,
                        answers=(accepted,) if isinstance(accepted, str) else tuple(accepted),
                        choices=tuple(group.get("choices", ())),
                        value=value[0] if value else VALUES[outcome],
                    )


CASES = list(_cases())


def _name(case: Any) -> str:
    return f"{case.kind}:{case.prediction}~{'|'.join(case.answers)}"


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_value(case: Case) -> None:
    expected = None if case.value is None else pytest.approx(case.value, abs=5e-5)
    assert case.grade() == expected, case.why


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_order_of_answers_and_white_space_change_nothing(case: Case) -> None:
    plain = case.grade()
    assert case.grade(around=" \t\n ") == plain
    assert case.grade(around="\u3000\u00a0") == plain
    for seed in range(3 if len(case.answers) > 1 else 0):
        assert case.grade(shuffle=seed) == plain


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_wrong_answer_more_among_the_accepted_never_takes_a_right_one_back(case: Case) -> None:
    if case.value == 1.0:
        more = Case(case.kind, "", case.prediction, (*case.answers, "zebra 99"), case.choices, 1.0)
        assert more.grade() == 1.0
        assert more.grade(shuffle=1) == 1.0


def test_a_gold_answer_that_passes_its_own_grader_is_right_as_a_prediction() -> None:
    for case in CASES:
        for gold in case.answers:
            checked = self_check([gold], case.kind, case.choices)
            assert checked.value != 0.0, (case.kind, gold, checked)


def test_there_are_enough_cases_of_every_grader() -> None:
    assert len(CASES) >= 1300
    assert {case.kind for case in CASES} == set(GRADERS)
    assert len(set(CASES)) == len(CASES)


def languages(texts: Sequence[str]) -> set[str]:
    """The scripts that the cases are written in, by a sign of each."""
    signs = {
        "Latin": "é",
        "Cyrillic": "д",
        "Arabic": "ق",
        "Han": "答",
        "Kana": "は",
        "Hangul": "답",
    }
    return {script for script, sign in signs.items() if any(sign in text for text in texts)}


def test_cases_are_in_many_scripts() -> None:
    assert len(languages([case.prediction for case in CASES])) == 6
