"""Graders: whether an answer is right, and abstaining where that cannot be known.

A grade of None is neither right nor wrong. Every grader takes the prediction, the accepted answers
and the options of a multiple-choice question; `GRADERS` names them for recipes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from curation.graders.base import MAX_ANSWER_CHARS, Grade, Grader, abstain, wrong
from curation.graders.choices import choice
from curation.graders.dates import date
from curation.graders.lists import listing
from curation.graders.maths import math
from curation.graders.numbers import number, relaxed
from curation.graders.polarity import yes_no
from curation.graders.texts import anls, text

GRADERS: Mapping[str, Grader] = {
    # The answer kinds of a sample.
    "choice": choice,
    "number": number,
    "text": text,
    "math": math,
    "yes_no": yes_no,
    "list": listing,
    "date": date,
    "exact_number": functools.partial(number, tolerance="0"),
    # Other definitions of the same, for recipes that ask for them.
    "exact_years": functools.partial(number, exact_years=True),
    "relaxed": relaxed,
    "anls": anls,
}

JUDGE = "judge"
"""What recipes call the judge model (`curation.graders.judge`) in place of a grader."""


def grade(
    prediction: str | None, answers: Sequence[str], *, kind: str, choices: Sequence[str] = ()
) -> Grade:
    """Grade one answer; the order of the accepted answers and outer white space do not matter.

    `kind` is an answer kind or any other name of GRADERS; ValueError names the known ones. No
    answer at all is no grade: whether a rollout that never answered failed is for its caller.
    """
    grader = GRADERS.get(kind)
    if grader is None:
        raise ValueError(f"no grader {kind!r}: choose one of {', '.join(GRADERS)}")
    said = (prediction or "").strip()
    if not said:
        return abstain("no answer")
    if len(said) >= MAX_ANSWER_CHARS:
        return wrong(None, f"{len(said)} characters, {MAX_ANSWER_CHARS} or more are no answer")
    accepted = [answer.strip() for answer in answers if answer.strip()]
    return grader(said, accepted, choices) if accepted else abstain("no accepted answer")


def self_check(answers: Sequence[str], kind: str, choices: Sequence[str] = ()) -> Grade:
    """The grade of the gold answer by its own grader; below 1 or None, the sample cannot be graded.

    Only the gold answer, the first, is checked: an alias that no grader can read does no harm.
    """
    gold = answers[0] if answers else None
    return grade(gold, answers[:1], kind=kind, choices=choices)


__all__ = [
    "GRADERS",
    "JUDGE",
    "MAX_ANSWER_CHARS",
    "Grade",
    "Grader",
    "anls",
    "choice",
    "date",
    "grade",
    "listing",
    "math",
    "number",
    "relaxed",
    "self_check",
    "text",
    "yes_no",
]
