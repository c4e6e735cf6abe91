"""The drawn sources: deterministic, disjoint splits, exact answers, boxes on the print."""

from __future__ import annotations

import io
import random
import re
from collections import Counter
from collections.abc import Iterable

import pytest
from PIL import Image

from curation.sources import tables
from curation.sources.base import RawSample
from curation.sources.charts import charts, draw_chart
from curation.sources.documents import documents, draw_document
from curation.sources.drawn import Page, pick
from curation.sources.easy_vqa import easy_vqa

SOURCES = (easy_vqa, charts, documents)


@pytest.mark.parametrize("source", SOURCES)
def test_a_seed_gives_the_same_samples_and_another_seed_others(source) -> None:
    rows = list(source(limit=6, seed=3))
    assert rows == list(source(limit=6, seed=3))
    assert [row.origin_id for row in rows] != [row.origin_id for row in source(limit=6, seed=4)]


@pytest.mark.parametrize("source", SOURCES)
def test_splits_share_no_picture(source) -> None:
    train = {row.images[0] for row in source(split="train", limit=40)}
    assert not train & {row.images[0] for row in source(split="test", limit=40)}


@pytest.mark.parametrize("source", SOURCES)
def test_every_sample_states_license_and_origin(source) -> None:
    rows = list(source(limit=11))
    assert len(rows) == 11
    assert all(isinstance(row, RawSample) and row.license and row.origin for row in rows)
    assert len({row.origin_id for row in rows}) == 11


@pytest.mark.parametrize("source", SOURCES)
def test_an_unknown_split_is_refused_with_the_known_ones(source) -> None:
    with pytest.raises(ValueError, match="choose one of train, test"):
        next(iter(source(split="validation")))


def test_tables_of_the_splits_are_disjoint() -> None:
    names = {split: {table.name for table in tables.tables(split)} for split in tables.TABLES}
    assert not names["train"] & names["test"]


def pages(draw, count: int = 12) -> list[Page]:
    return [draw(random.Random(seed), "test") for seed in range(count)]


@pytest.mark.parametrize("draw", [draw_chart, draw_document])
def test_evidence_boxes_lie_on_print(draw) -> None:
    for page in pages(draw):
        for question in page.questions:
            assert (question.skill in ("read", "arithmetic")) == bool(question.evidence)
            for box in question.evidence:
                assert 0 <= box.left < box.right <= page.image.width
                assert 0 <= box.top < box.bottom <= page.image.height
                region = page.image.crop((box.left, box.top, box.right, box.bottom))
                dark, light = region.convert("L").getextrema()
                assert light - dark > 60, f"nothing printed: {question.text}"


def test_arithmetic_answers_follow_from_their_operands() -> None:
    asked = [q for page in pages(draw_chart, 40) for q in page.questions if q.operands]
    assert {len(question.operands) for question in asked} == {2, 3}
    for question in asked:
        values = [int(operand) for operand in question.operands]
        if "mean" in question.text:
            assert question.answer == f"{sum(values) / 3:.1f}"
        elif "minus" in question.text:
            assert question.answer == str(values[0] - values[1])
        else:
            assert question.answer == str(sum(values))


def test_a_receipt_adds_up() -> None:
    receipts = [p for p in pages(draw_document, 40) if p.settings["kind"] == "receipt"]
    assert receipts
    for page in receipts:
        amounts = {q.text: q.answer for q in page.questions}
        goods = [float(amounts[text]) for text in amounts if "price on" in text]
        subtotal = float(amounts["What is the subtotal?"])
        assert subtotal == pytest.approx(sum(goods))
        total = float(amounts["What is the total?"])
        assert total == pytest.approx(subtotal + float(amounts["What is the tax?"]))


def sizes(rows: Iterable[RawSample]) -> set[tuple[int, int]]:
    return {Image.open(io.BytesIO(row.images[0])).size for row in rows}


def test_print_size_follows_the_settings() -> None:
    rows = [
        *charts(limit=20, small=0, min_print=12, max_print=14),
        *documents(limit=20, labels=0, min_print=12, max_print=14),
    ]
    assert all(12 <= row.metadata["print_size"] <= 14 for row in rows)


def test_pages_are_png_of_real_sizes() -> None:
    assert sizes(documents(limit=40)) == {(827, 1169), (560, 1000), (280, 150)}
    assert sizes(documents(limit=8, labels=1)) == {(280, 150)}
    assert sizes(charts(limit=20)) == {(640, 480), (320, 240)}
    assert sizes(charts(limit=8, small=0)) == {(640, 480)}


def test_a_page_is_asked_more_than_to_read() -> None:
    skills = Counter(row.metadata["skill"] for row in charts(limit=120))
    assert set(skills) == {"read", "compare", "extremum", "count", "arithmetic"}
    assert 0.3 < skills["read"] / 120 < 0.7


def test_questions_about_a_page_differ() -> None:
    page = draw_chart(random.Random(1), "train")
    asked = pick(random.Random(0), page.questions, 100)
    assert Counter(asked) == Counter(page.questions)


def test_a_position_names_the_mark_it_means() -> None:
    for page in pages(draw_chart, 30):
        boxes = {
            match[1]: question.evidence[0]
            for question in page.questions
            if (
                match := re.match(
                    r"What is the value of the (\w+) \w+ from the left", question.text
                )
            )
        }
        if boxes:
            lefts = [boxes[name].left for name in ("first", "second", "third")]
            assert lefts == sorted(lefts)
