from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.errors import RunError, SourceError, StaleSettingsError
from curation.job import Job
from curation.recipes.file import parse_recipe
from curation.recipes.recipe import Recipe, Source
from curation.runs import Run
from curation.sources import BadRow, RawSample, Row
from curation.stage import Count
from curation.stages.ingest import ingest
from schemas import Box
from tests.curation.scene import picture, recipe_text, sum_sample
from tests.curation.test_images import bomb


def recipe_of(*rows: Row, limit: int | None = None, **settings: Any) -> Recipe:
    def source(*, split: str = "test") -> Iterator[Row]:
        yield from rows

    recipe = parse_recipe(recipe_text("http://localhost:1/v1"), "scene")
    return dataclasses.replace(
        recipe, sources=(Source("rows", "tests:rows", source, settings, limit),)
    )


def take(path: Path, recipe: Recipe) -> Count:
    with Job.open(recipe, Run(path)) as job:
        return ingest(job)


def quarantined(path: Path) -> dict[str, tuple[str, str]]:
    with Run(path).connect() as db:
        rows = db.execute("SELECT key, error, message FROM quarantine").fetchall()
    return {key: (error, message) for key, error, message in rows}


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"images": ()}, "missing_image", "it has no image: add one or drop the row"),
        ({"images": (b"GIF no more",)}, "not_an_image", "are no image"),
        ({"images": (bomb(),)}, "image_too_large", "scale the image down first"),
        ({"question": " "}, "missing_question", "fill the question"),
        ({"question": "What is in <image>?"}, "reserved_text", "the literal '<image>'"),
        ({"question": "<|im_end|> Hm?"}, "reserved_text", "the literal '<|im_end|>'"),
        ({"answers": ()}, "missing_answer", "missing or empty"),
        ({"answers": ("  ",)}, "missing_answer", "missing or empty"),
        ({"answers": (["1"],)}, "answer_no_text", "are no texts"),
        ({"answers": ("x" * 10_000,)}, "answer_too_long", "10,000 characters"),
        ({"answer_kind": "essay"}, "answer_kind", "use one of choice, number"),
        ({"answers": ("no idea",)}, "unverifiable_answer", "own number grader"),
        ({"evidence": (Box(1, 0, 0, 9, 9),)}, "evidence_box", "in image 1, and it has 1"),
        ({"evidence": (Box(0, 0, 0, 99, 9),)}, "evidence_box", "image of 64 x 64 pixels"),
        ({"evidence": (Box(0, 9, 0, 9, 9),)}, "evidence_box", "check the box format"),
    ],
)
def test_a_bad_row_goes_to_quarantine_with_its_own_sentence(
    tmp_path: Path, changes: dict[str, Any], error: str, sentence: str
) -> None:
    bad, good = sum_sample(1, **changes), sum_sample(2)
    assert take(tmp_path, recipe_of(bad, good)) == Count("ingest", 2, 1, quarantined=1)
    fault, message = quarantined(tmp_path)["sum-1"]
    assert fault == error
    assert message.startswith("row sum-1 of source rows: ")
    assert sentence in message


def test_a_source_words_its_own_bad_rows(tmp_path: Path) -> None:
    bad = BadRow("row 3", "missing_column", "Row 3 of a.parquet has no answer: fill it.")
    take(tmp_path, recipe_of(bad, sum_sample(2)))
    assert quarantined(tmp_path) == {"row 3": (bad.error, bad.message)}


def test_repeated_ids_and_repeated_rows_are_told_apart(tmp_path: Path) -> None:
    rows = [
        sum_sample(1),
        sum_sample(2, origin_id="sum-1"),
        sum_sample(3, origin_id="sum-1"),
        sum_sample(1, origin_id="again"),
    ]
    assert take(tmp_path, recipe_of(*rows)) == Count("ingest", 4, 1, quarantined=3)
    assert {key: error for key, (error, _) in quarantined(tmp_path).items()} == {
        "sum-1#2": "duplicate_id",
        "sum-1#3": "duplicate_id",
        "again": "duplicate_row",
    }


def test_bytes_are_kept_as_they_came_and_stored_once(tmp_path: Path) -> None:
    rows = [sum_sample(1), sum_sample(1, question="Another?", origin_id="b")]
    take(tmp_path, recipe_of(*rows))
    run = Run(tmp_path)
    image_id = run.value("SELECT image_id FROM images_index")
    assert run.images.read(image_id) == picture(1)
    assert run.value("SELECT count(*) FROM images_index") == 1
    assert run.value("SELECT list(DISTINCT image_ids) FROM samples") == [[image_id]]


def test_a_source_is_read_once_and_again_only_for_more(tmp_path: Path) -> None:
    rows = [sum_sample(number) for number in range(6)]
    assert take(tmp_path, recipe_of(*rows, limit=4)).kept == 4
    assert take(tmp_path, recipe_of(limit=4)).kept == 4  # not even opened
    assert take(tmp_path, recipe_of(*rows, limit=6)) == Count("ingest", 6, 6)
    with pytest.raises(StaleSettingsError, match=r"limit = 6 and the recipe now says 5"):
        take(tmp_path, recipe_of(*rows, limit=5))


def test_a_source_that_broke_off_is_taken_up_again(tmp_path: Path) -> None:
    def breaking() -> Iterator[RawSample]:
        yield from (sum_sample(number) for number in range(1500))
        raise ZeroDivisionError

    recipe = recipe_of(*(sum_sample(number, images=(picture(0),)) for number in range(1501)))
    source = dataclasses.replace(recipe.sources[0], function=lambda: breaking())
    broken = dataclasses.replace(recipe, sources=(source,))
    with pytest.raises(ZeroDivisionError):
        take(tmp_path, broken)
    assert Run(tmp_path).value("SELECT count(*) FROM samples") == 1024
    assert take(tmp_path, recipe).rows_in == 1501


def test_changed_and_missing_sources_are_refused(tmp_path: Path) -> None:
    take(tmp_path, recipe_of(sum_sample(1), split="test"))
    with pytest.raises(StaleSettingsError, match=r'"split": "test".*"split": "train"'):
        take(tmp_path, recipe_of(sum_sample(1), split="train"))
    other = recipe_of(sum_sample(1))
    renamed = dataclasses.replace(other.sources[0], name="others")
    with pytest.raises(StaleSettingsError, match="'rows', which the recipe does not name"):
        take(tmp_path, dataclasses.replace(other, sources=(renamed,)))


def test_a_setting_that_the_source_refuses_can_be_corrected(tmp_path: Path) -> None:
    def refusing(*, split: str = "test") -> Iterator[RawSample]:
        if split != "test":
            raise ValueError(f"no split {split!r}")
        yield sum_sample(1)

    recipe = recipe_of(split="tset")
    source = dataclasses.replace(recipe.sources[0], function=refusing)
    with pytest.raises(SourceError, match="'rows' cannot be read: no split 'tset'"):
        take(tmp_path, dataclasses.replace(recipe, sources=(source,)))
    corrected = dataclasses.replace(source, settings={"split": "test"})
    assert take(tmp_path, dataclasses.replace(recipe, sources=(corrected,))).kept == 1


def test_a_source_that_changes_its_mind_does_not_add_up(tmp_path: Path) -> None:
    take(tmp_path, recipe_of(sum_sample(1), sum_sample(2), limit=2))
    with pytest.raises(RunError, match="does not add up"):
        take(tmp_path, recipe_of(sum_sample(3), limit=3))


def test_quarantined_rows_are_tried_again_when_asked(tmp_path: Path) -> None:
    take(tmp_path, recipe_of(sum_sample(1, answers=()), sum_sample(2)))
    run = Run(tmp_path)
    with run.writing():
        run.retry_quarantined()
    assert take(tmp_path, recipe_of(sum_sample(1), sum_sample(2))) == Count("ingest", 2, 2)
