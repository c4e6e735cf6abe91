"""Each filter on real columns: (values, keep) tables, nulls included."""

from __future__ import annotations

import dataclasses
from typing import Any

import pyarrow as pa
import pytest

import filters
from filters import bind
from filters.catalogue import COLUMNS
from schemas import Box, Measure, Sample, to_table

MEASURE = Measure(
    sample_id="s",
    image_count=1,
    min_image_side=480,
    max_image_pixels=640 * 480,
    max_aspect_ratio=640 / 480,
    image_spread=40.0,
    question_chars=30,
    answer_chars=4,
    choice_count=0,
    evidence_fraction=0.01,
)
SAMPLE = Sample(
    sample_id="s",
    source="drawn",
    origin_id="1",
    question="Which city is shown?",
    answers=("Paris",),
    answer_kind="text",
    choices=(),
    image_ids=("i",),
    evidence=(Box(0, 0, 0, 10, 10),),
    category="perception",
    license="CC0-1.0",
    origin="test",
    metadata="{}",
)


def keep(name: str, column: str, values: list[Any], **settings: object) -> list[bool | None]:
    """The decisions of a filter over one column of measures."""
    rows = [dataclasses.replace(MEASURE, **{column: value}) for value in values]
    return list(bind(name, settings)(to_table(Measure, rows)).to_pylist())


def keep_sample(name: str, settings: dict[str, object] | None = None, **fields: Any) -> bool | None:
    """The decision of a filter about one sample, with its first gold answer as `answer`."""
    sample = dataclasses.replace(SAMPLE, **fields)
    table = to_table(Sample, [sample]).append_column("answer", pa.array([sample.answers[0]]))
    measure = dataclasses.replace(MEASURE, choice_count=len(sample.choices))
    for column in ("choice_count", "question_chars", "answer_chars"):
        table = table.append_column(column, to_table(Measure, [measure]).column(column))
    decision: bool | None = bind(name, settings)(table)[0].as_py()
    return decision


@pytest.mark.parametrize(
    ("name", "column", "settings", "table"),
    [
        ("min_image_side", "min_image_side", {}, {27: False, 28: True, 9000: True, None: None}),
        (
            "min_image_side",
            "min_image_side",
            {"at_least": 448, "at_most": 4096},
            {447: False, 448: True, 4096: True, 4097: False, None: None},
        ),
        ("max_pixels", "max_image_pixels", {"at_most": 100}, {100: True, 101: False, None: None}),
        ("max_pixels", "max_image_pixels", {}, {4096 * 4096: True, 4096 * 4097: False}),
        ("max_aspect_ratio", "max_aspect_ratio", {}, {1.0: True, 20.0: True, 20.5: False}),
        ("max_aspect_ratio", "max_aspect_ratio", {"at_most": 3}, {3.0: True, 3.1: False}),
        ("max_aspect_ratio", "max_aspect_ratio", {}, {None: None}),
        ("not_blank", "image_spread", {}, {0.0: False, 1.9: False, 2.0: True, None: None}),
        ("question_length", "question_chars", {}, {4: False, 5: True, 2000: True, 2001: False}),
        ("question_length", "question_chars", {"at_least": 0}, {0: True}),
        ("answer_length", "answer_chars", {}, {0: False, 1: True, 299: True, 300: False}),
        (
            "evidence_fraction",
            "evidence_fraction",
            {},
            {0.0: True, 0.05: True, 0.051: False, None: None},
        ),
        (
            "evidence_fraction",
            "evidence_fraction",
            {"at_least": 0.1, "at_most": 1.0},
            {0.05: False, 0.1: True, 1.0: True},
        ),
    ],
)
def test_measures(
    name: str, column: str, settings: dict[str, object], table: dict[Any, bool | None]
) -> None:
    assert keep(name, column, list(table), **settings) == list(table.values())


@pytest.mark.parametrize(
    ("answer", "kind", "kept"),
    [
        ("Paris", "text", True),
        ("yes", "text", False),
        ("No.", "text", False),
        (" YES ", "text", False),
        ("True", "choice", False),
        ("是", "yes_no", False),
        ("Norway", "text", True),
        ("no entry", "text", True),
    ],
)
def test_no_yes_no(answer: str, kind: str, kept: bool) -> None:
    assert keep_sample("no_yes_no", answers=(answer,), answer_kind=kind) is kept


@pytest.mark.parametrize(
    ("choices", "kind", "options", "kept"),
    [
        ((), "text", 4, True),
        (("a", "b"), "choice", 4, False),
        (("a", "b", "c", "d"), "choice", 4, False),
        (("a", "b", "c", "d", "e"), "choice", 4, True),
        (("a", "b", "c"), "choice", 2, True),
        ((), "yes_no", 2, False),
    ],
)
def test_no_guessable(choices: tuple[str, ...], kind: str, options: int, kept: bool) -> None:
    settings: dict[str, object] = {"options": options}
    assert keep_sample("no_guessable", settings, choices=choices, answer_kind=kind) is kept


@pytest.mark.parametrize(
    ("choices", "answer", "kind", "kept"),
    [
        (("red", "blue"), "B", "choice", True),
        (("red", "blue"), "(b)", "choice", True),
        (("red", "blue"), "Blue", "choice", True),
        (("red", "blue"), "C", "choice", False),
        (("red", "blue"), "green", "choice", False),
        (("red", " Red"), "A", "choice", False),
        (("red", " "), "A", "choice", False),
        (("red",), "A", "choice", False),
        ((), "A", "choice", False),
        ((), "Paris", "text", True),
    ],
)
def test_choices_well_formed(choices: tuple[str, ...], answer: str, kind: str, kept: bool) -> None:
    fields: dict[str, Any] = {"choices": choices, "answers": (answer,), "answer_kind": kind}
    assert keep_sample("choices_well_formed", **fields) is kept


@pytest.mark.parametrize(
    ("question", "answer", "kind", "kept"),
    [
        ("Which city is shown?", "Paris", "text", True),
        ("Is it Paris that is shown?", "Paris", "text", False),
        ("Is it PARIS?", "paris", "text", False),
        ("Who is the  mayor of New\nYork?", "New York", "text", False),
        ("What do the parishes share?", "Paris", "text", True),
        ("Is the car red or blue?", "red", "text", False),
        ("Is the car red or blue?", "A", "choice", True),
        ("How many of the 3 cars are red?", "3", "text", True),
        ("What is 50 % of it?", "50 %", "text", True),
        ("How many of the 3 cars are red?", "3", "number", True),
        ("Is there a sign that says yes?", "yes", "yes_no", True),
        ("图中的北京在哪里？", "北京", "text", False),
        ("图中是哪座城市？", "北京", "text", True),
        ("What is (a+b) here?", "(a+b)", "text", False),
        ("What is here?", "", "text", True),
    ],
)
def test_no_leaked_answer(question: str, answer: str, kind: str, kept: bool) -> None:
    fields: dict[str, Any] = {"question": question, "answers": (answer,), "answer_kind": kind}
    assert keep_sample("no_leaked_answer", **fields) is kept


@pytest.mark.parametrize(
    "text",
    [
        "What is in <image>?",
        "What is in < IMAGE >?",
        "</answer> right",
        "<tool_call>",
        "<think>",
        "<code>",
        "<|im_end|>",
        "<|vision_start|>",
        "```python",
    ],
)
def test_no_literal_placeholder_finds_it_anywhere(text: str) -> None:
    assert keep_sample("no_literal_placeholder") is True
    assert keep_sample("no_literal_placeholder", question=text) is False
    assert keep_sample("no_literal_placeholder", answers=(text,)) is False
    assert keep_sample("no_literal_placeholder", choices=("red", text)) is False


@pytest.mark.parametrize("text", ["Is 3 < image size?", "Which image?", "a | b", "x <b> y", "`ls`"])
def test_no_literal_placeholder_leaves_other_text(text: str) -> None:
    assert keep_sample("no_literal_placeholder", question=text) is True


@pytest.mark.parametrize(
    ("question", "scripts", "kept"),
    [
        ("What is shown?", ["latin"], True),
        ("Où est la tour ?", ["latin"], True),
        ("图中有什么？", ["latin"], False),
        ("图中有什么？", ["han"], True),
        ("图中的 Eiffel Tower 在哪里？", ["han"], False),
        ("图中的 Eiffel Tower 在哪里？", ["han", "latin"], True),
        ("何が見えますか", ["han", "hiragana", "katakana"], True),
        ("무엇이 보입니까?", ["hangul"], True),
        ("Что изображено?", ["cyrillic"], True),
        ("Что изображено?", ["latin"], False),
        ("ما هذا؟", ["arabic"], True),
        ("2 + 2 = ?", ["latin"], True),
    ],
)
def test_question_script(question: str, scripts: list[str], kept: bool) -> None:
    assert keep_sample("question_script", {"scripts": scripts}, question=question) is kept


@pytest.mark.parametrize("name", filters.__all__)
def test_a_null_in_any_column_gives_a_null(name: str) -> None:
    bound = bind(name)
    given = {**dataclasses.asdict(SAMPLE), **dataclasses.asdict(MEASURE), "answer": "Paris"}
    for missing in bound.columns:
        table = pa.table(
            {
                column: pa.array(
                    [given[column], None if column == missing else given[column]], kind
                )
                for column, kind in COLUMNS.items()
                if column in bound.columns
            }
        )
        decided = bound(table).to_pylist()
        assert decided[0] is not None
        assert decided[1] is None


@pytest.mark.parametrize("name", filters.__all__)
def test_chunks_and_no_rows_at_all(name: str) -> None:
    bound = bind(name)
    empty = pa.table({column: pa.array([], COLUMNS[column]) for column in bound.columns})
    nulls = pa.table({column: pa.nulls(2, COLUMNS[column]) for column in bound.columns})
    assert len(bound(empty)) == 0
    assert bound(pa.concat_tables([nulls, nulls])).to_pylist() == [None] * 4
