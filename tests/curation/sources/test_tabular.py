"""Parquet and JSON files: column layouts, images, options and boxes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from curation.sources.tabular import parquet
from schemas import Box
from tests.curation.sources.tabular_rows import (
    BLUE,
    RED,
    one,
    read_one_line,
    row,
    write_parquet,
)


@pytest.mark.parametrize(
    "image",
    [
        RED,
        {"bytes": RED, "path": None},
        {"bytes": RED, "path": "elsewhere/name.png"},
        {"bytes": None, "path": "red.png"},
        "red.png",
        base64.b64encode(RED).decode(),
        "data:image/png;base64," + base64.encodebytes(RED).decode(),
    ],
    ids=["bytes", "struct", "struct-name", "struct-path", "path", "base64", "data-url"],
)
def test_every_form_of_image_gives_the_very_bytes(folder: Path, image: object) -> None:
    write_parquet(folder / "rows.parquet", [row(image=image)])
    sample = one(parquet(path=str(folder / "rows.parquet")))
    assert sample.images == (RED,)
    assert (sample.question, sample.answers, sample.answer_kind) == (
        "Which colour?",
        ("red",),
        "text",
    )
    assert sample.origin_id == "rows.parquet#0"
    assert sample.origin == str(folder / "rows.parquet")


def test_mapped_columns_aliases_several_images_and_metadata(folder: Path) -> None:
    cells = {
        "q": "<image><image>\nWhich came first?\n<image>",
        "a": ["egg", "the egg", "egg"],
        "left": ["red.png", base64.b64encode(BLUE).decode()],
        "right": "blue.jpg",
        "uid": 7,
        "about": {"kind": "chart", "page": 3},
        "note": float("nan"),
    }
    columns = {
        "question": "q",
        "answers": "a",
        "image": ["left", "right"],
        "id": "uid",
        "category": "about.kind",
        "metadata": ["about", "note"],
    }
    write_parquet(folder / "rows.parquet", [cells])
    for rows in (
        parquet(path=str(folder), columns=columns, license="cc0-1.0"),
        read_one_line(folder, cells, columns=columns, license="cc0-1.0"),
    ):
        sample = one(rows)
        assert sample.images == (RED, BLUE, BLUE)
        assert (sample.question, sample.answers) == ("Which came first?", ("egg", "the egg"))
        assert (sample.origin_id, sample.category, sample.license) == ("7", "chart", "cc0-1.0")
        assert json.loads(json.dumps(sample.metadata)) == {
            "about": {"kind": "chart", "page": 3},
            "note": "nan",
        }


@pytest.mark.parametrize(
    ("answer", "text", "kind"),
    [
        (4, "4", "number"),
        (12.0, "12", "number"),
        (0.25, "0.25", "number"),
        ("$1,200", "$1,200", "number"),
        ("40 %", "40 %", "number"),
        (True, "yes", "yes_no"),
        ("No", "No", "yes_no"),
        ("Paris 2024", "Paris 2024", "text"),
    ],
)
def test_answer_kind_follows_the_look_of_the_answer(
    folder: Path, answer: object, text: str, kind: str
) -> None:
    sample = one(read_one_line(folder, row(answer=answer)))
    assert (sample.answers, sample.answer_kind) == ((text,), kind)


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["A) 1.5 m", "B) 2.5 m"], "[B]"),
        (["1.5 m", "2.5 m"], "B"),
        (["1.5 m", "2.5 m"], "2.5 M"),
        ('["1.5 m", "2.5 m"]', "(b)"),
        ("['1.5 m', '2.5 m']", "B. 2.5 m"),
        ({"A": "1.5 m", "B": "2.5 m", "C": None}, "b"),
        ("A. 1.5 m\nB. 2.5 m", "B"),
    ],
)
def test_options_in_a_column(folder: Path, options: object, answer: str) -> None:
    cells = row(question="How far?", options=options, answer=answer)
    sample = one(read_one_line(folder, cells, columns={"options": "options"}))
    assert sample.choices == ("1.5 m", "2.5 m")
    assert sample.answers == ("B", "2.5 m")
    assert sample.answer_kind == "choice"
    assert sample.question == "How far?\nA. 1.5 m\nB. 2.5 m"


@pytest.mark.parametrize(
    "question",
    ["Which?\nChoices:\nA. cat\nB. dog", "Which? (A) cat (B) dog", "Which?\n(A) cat\n(B) dog"],
)
def test_options_inside_the_question_are_found_and_left_there(folder: Path, question: str) -> None:
    sample = one(read_one_line(folder, row(question=question, answer="B")))
    assert (sample.question, sample.choices) == (question, ("cat", "dog"))
    assert sample.answers == ("B", "dog")


def test_lettered_lines_that_the_answer_does_not_name_are_no_options(folder: Path) -> None:
    question = "A. Smith\nB. Jones\nwrote it. In which year?"
    sample = one(read_one_line(folder, row(question=question, answer="1921")))
    assert (sample.choices, sample.answers) == ((), ("1921",))


def test_a_letter_on_one_option_alone_belongs_to_its_text(folder: Path) -> None:
    cells = row(options=["E. coli", "B. cereus"], answer="B. cereus")
    sample = one(read_one_line(folder, cells, columns={"options": "options"}))
    assert sample.choices == ("E. coli", "B. cereus")


@pytest.mark.parametrize(
    ("boxes", "box_format", "box_scale"),
    [
        ([10, 5, 30, 15], "xyxy", "pixels"),
        ([[10, 5, 20, 10]], "xywh", "pixels"),
        ([0.25, 0.25, 0.75, 0.75], "xyxy", "relative"),
        ([[0.25, 0.25, 0.5, 0.5]], "xywh", "relative"),
    ],
)
def test_boxes_become_pixels(folder: Path, boxes: object, box_format: str, box_scale: str) -> None:
    sample = one(
        read_one_line(
            folder,
            row(bbox=boxes),
            columns={"boxes": "bbox"},
            box_format=box_format,
            box_scale=box_scale,
        )
    )
    assert sample.evidence == (Box(image=0, left=10, top=5, right=30, bottom=15),)


def test_boxes_are_widened_to_pixels_and_cut_at_the_border(folder: Path) -> None:
    settings: dict[str, Any] = {"columns": {"boxes": "bbox"}}
    sample = one(read_one_line(folder, row(bbox=[[-3, 2.4, 5.1, 99], [0, 0, 40, 20]]), **settings))
    assert sample.evidence == (Box(0, 0, 2, 6, 20), Box(0, 0, 0, 40, 20))
    assert one(read_one_line(folder, row(bbox=None), **settings)).evidence == ()
