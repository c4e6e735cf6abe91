"""What can be asked about a chart: reading, extremum, comparison, counting and arithmetic."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from curation.sources.drawn import ORDINALS, Question
from schemas import Box


@dataclass(frozen=True, slots=True)
class Mark:
    """A bar, point or slice with its printed value."""

    value: int
    colour: str
    name: str
    box: Box
    group: int | None = None
    """Group of a grouped chart, from 0."""


def _read(text: str, target: str, mark: Mark) -> Question:
    return Question(text, str(mark.value), "number", "read", target, (mark.box,))


def _arithmetic(text: str, answer: str, marks: Sequence[Mark]) -> Question:
    return Question(
        text,
        answer,
        "number",
        "arithmetic",
        marks[0].colour,
        tuple(mark.box for mark in marks),
        tuple(str(mark.value) for mark in marks),
    )


def bar_questions(marks: Sequence[Mark], rng: random.Random) -> list[Question]:
    """Questions about the bars of a plain or grouped chart."""
    if marks[0].group is not None:
        return [
            *_grouped_questions(marks),
            *_extremes(marks, "bar"),
            *_compare_in_group(marks, rng),
            _count(marks, "bars"),
        ]
    questions = [
        *_by_colour(marks, "bar", "What is the value of the {} bar?"),
        *_by_position(marks, "bar"),
        *_by_name(marks, rng),
        *_extremes(marks, "bar"),
        *_compare_colours(marks, rng, "Is the {} bar higher than the {} bar?"),
        *_sums(marks, rng),
    ]
    highest = max(marks, key=lambda mark: mark.value)
    if [mark.value for mark in marks].count(highest.value) == 1:
        text = "Which colour is the highest bar?"
        questions.append(Question(text, highest.colour, "text", "extremum", "the highest bar"))
    return [*questions, _count(marks, "bars")]


def line_questions(marks: Sequence[Mark], rng: random.Random) -> list[Question]:
    """Questions about the points of a line."""
    rising = "yes" if marks[-1].value > marks[0].value else "no"
    text = "Is the last point higher than the first point?"
    trend = Question(text, rising, "yes_no", "compare", "the line")
    return [
        *_by_position(marks, "point"),
        *_by_position(marks, "point"),
        *_by_name(marks, rng),
        *_extremes(marks, "point"),
        trend,
        _count(marks, "points"),
    ]


def pie_questions(marks: Sequence[Mark], rng: random.Random) -> list[Question]:
    """Questions about the slices of a pie; values are percent."""
    largest = max(marks, key=lambda mark: mark.value)
    questions = [
        *_by_colour(marks, "slice", "What percentage is the {} slice?"),
        *_compare_colours(marks, rng, "Is the {} slice larger than the {} slice?"),
        *_sums(marks, rng),
        _count(marks, "slices"),
    ]
    if [mark.value for mark in marks].count(largest.value) == 1:
        text = "Which colour is the largest slice?"
        questions.append(Question(text, largest.colour, "text", "extremum", "the largest slice"))
    return questions


def _by_colour(marks: Sequence[Mark], noun: str, text: str) -> list[Question]:
    return [_read(text.format(m.colour), f"the {m.colour} {noun}", m) for m in marks]


def _by_position(marks: Sequence[Mark], noun: str) -> list[Question]:
    return [
        _read(
            f"What is the value of the {ordinal} {noun} from the left?", f"the {ordinal} {noun}", m
        )
        for ordinal, m in zip(ORDINALS, marks, strict=False)
    ]


def _by_name(marks: Sequence[Mark], rng: random.Random) -> list[Question]:
    """One question by the printed name, where the name is unique."""
    mark = rng.choice(marks)
    if [other.name for other in marks].count(mark.name) > 1:
        return []
    return [_read(f"What is the value for {mark.name}?", mark.name, mark)]


def _grouped_questions(marks: Sequence[Mark]) -> list[Question]:
    questions = []
    for mark in marks:
        assert mark.group is not None
        place = f"the {mark.colour} bar in the {ORDINALS[mark.group]} group"
        questions.append(_read(f"What is the value of {place}?", place, mark))
    return questions


def _extremes(marks: Sequence[Mark], noun: str) -> list[Question]:
    highest = max(marks, key=lambda mark: mark.value)
    lowest = min(marks, key=lambda mark: mark.value)
    return [
        _read("What is the highest value?", f"the highest {noun}", highest),
        _read("What is the lowest value?", f"the lowest {noun}", lowest),
    ]


def _compare_colours(marks: Sequence[Mark], rng: random.Random, text: str) -> list[Question]:
    one, other = rng.sample(list(marks), 2)
    if one.value == other.value:
        return []
    answer = "yes" if one.value > other.value else "no"
    noun = "the marks"
    return [Question(text.format(one.colour, other.colour), answer, "yes_no", "compare", noun)]


def _compare_in_group(marks: Sequence[Mark], rng: random.Random) -> list[Question]:
    group = rng.choice(marks).group or 0
    one, other = rng.sample([mark for mark in marks if mark.group == group], 2)
    if one.value == other.value:
        return []
    answer = "yes" if one.value > other.value else "no"
    text = (
        f"Is the {one.colour} bar higher than the {other.colour} bar"
        f" in the {ORDINALS[group]} group?"
    )
    return [Question(text, answer, "yes_no", "compare", "the marks")]


def _sums(marks: Sequence[Mark], rng: random.Random) -> list[Question]:
    one, other = sorted(rng.sample(list(marks), 2), key=lambda mark: -mark.value)
    three = rng.sample(list(marks), 3)
    pair = f"{one.colour} and {other.colour}"
    names = f"{three[0].colour}, {three[1].colour} and {three[2].colour}"
    mean = sum(mark.value for mark in three) / 3
    return [
        _arithmetic(f"What is the sum of {pair}?", str(one.value + other.value), (one, other)),
        _arithmetic(
            f"What is {one.colour} minus {other.colour}?",
            str(one.value - other.value),
            (one, other),
        ),
        _arithmetic(f"What is the mean of {names}?", f"{mean:.1f}", three),
    ]


def _count(marks: Sequence[Mark], noun: str) -> Question:
    return Question(f"How many {noun} are there?", str(len(marks)), "number", "count", "the chart")
