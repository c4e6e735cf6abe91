"""Dispatch, the limits that all graders share, and the check of a gold answer."""

from __future__ import annotations

import pytest

from curation.graders import GRADERS, MAX_ANSWER_CHARS, grade, self_check
from schemas.sample import ANSWER_KINDS


def test_every_answer_kind_has_a_grader() -> None:
    assert set(ANSWER_KINDS) <= set(GRADERS)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no grader 'numeric': choose one of choice, number"):
        grade("1", ["1"], kind="numeric")


@pytest.mark.parametrize("kind", sorted(GRADERS))
@pytest.mark.parametrize("prediction", [None, "", " \n"])
def test_no_answer_is_no_grade(kind: str, prediction: str | None) -> None:
    graded = grade(prediction, ["yes"], kind=kind)
    assert (graded.value, graded.extracted, graded.explanation) == (None, None, "no answer")


@pytest.mark.parametrize("kind", sorted(GRADERS))
@pytest.mark.parametrize("answers", [[], ["", "  "]])
def test_nothing_to_compare_with_is_no_grade(kind: str, answers: list[str]) -> None:
    assert grade("yes", answers, kind=kind).value is None


@pytest.mark.parametrize("kind", sorted(GRADERS))
def test_an_answer_of_the_length_limit_is_wrong_even_if_it_is_right(kind: str) -> None:
    graded = grade("7" * MAX_ANSWER_CHARS, ["7" * MAX_ANSWER_CHARS], kind=kind)
    assert graded.value == 0.0
    assert "1000 characters" in graded.explanation


def test_white_space_around_an_answer_does_not_make_it_long() -> None:
    assert grade(" " * MAX_ANSWER_CHARS + "7", ["7"], kind="number").value == 1.0


def test_options_beyond_the_alphabet_are_known_by_their_text() -> None:
    options = [f"street {number}" for number in range(1, 41)]
    assert grade("street 30", ["street 30"], kind="choice", choices=options).value == 1.0
    assert grade("street 3", ["street 30"], kind="choice", choices=options).value == 0.0


def test_one_alias_that_may_match_outweighs_those_that_do_not() -> None:
    assert grade("5 cats", ["9", "5 dogs"], kind="number").value is None
    assert grade("5 cats", ["9", "5 dogs", "5 cats"], kind="number").value == 1.0


@pytest.mark.parametrize(
    ("kind", "gold", "choices"),
    [
        ("choice", "B", ["red", "blue"]),
        ("choice", "blue", ["red", "blue"]),
        ("choice", "B", ()),
        ("number", "$1,234.50", ()),
        ("number", "3/4", ()),
        ("text", "The Hague", ()),
        ("anls", "12 Main St.", ()),
        ("yes_no", "No", ()),
        ("list", "salt, pepper and oil", ()),
        ("date", "03/04/2020", ()),
        ("math", r"\frac{\sqrt{3}}{2}", ()),
    ],
)
def test_good_gold_answers_pass_their_own_grader(kind: str, gold: str, choices: list[str]) -> None:
    assert self_check([gold], kind, choices).value == 1.0


@pytest.mark.parametrize(
    ("kind", "answers", "choices", "why"),
    [
        ("number", ["blue"], (), "not one number"),
        ("number", ["10 to 20"], (), "not one number"),
        ("number", ["1.2.3"], (), "not one number"),
        ("choice", ["purple"], ["red", "blue"], "none of the options"),
        ("choice", ["C"], ["red", "blue"], "none of the options"),
        ("yes_no", ["maybe"], (), "neither yes nor no"),
        ("date", ["soon"], (), "no date"),
        ("text", [""], (), "no answer"),
        ("text", [], (), "no answer"),
        ("text", ["x" * 2000], (), "2000 characters"),
    ],
)
def test_gold_answers_that_cannot_be_graded_fail(
    kind: str, answers: list[str], choices: list[str], why: str
) -> None:
    graded = self_check(answers, kind, choices)
    assert graded.value != 1.0
    assert why in graded.explanation


def test_a_second_alias_does_not_vouch_for_the_gold_answer() -> None:
    assert self_check(["blue", "3"], "number").value is None
