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
from curation.stage import Count, query_rows
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


class Versioned:
    """A module with a source whose rows can be exchanged, and its version beside it."""

    def __init__(self) -> None:
        self.rows: tuple[Row, ...] = ()
        self.version = ""
        self.read = 0

    def recipe(self, *rows: Row, version: str, **settings: Any) -> Recipe:
        self.rows, self.version = rows, version
        recipe = recipe_of(**settings)
        source = dataclasses.replace(recipe.sources[0], function=changing)
        return dataclasses.replace(recipe, sources=(source,))


THE = Versioned()


def changing(**settings: Any) -> Iterator[Row]:
    THE.read += 1
    yield from THE.rows


def version_changing(**settings: Any) -> str:
    return THE.version


def test_a_source_of_the_same_version_is_not_read_again(tmp_path: Path) -> None:
    take(tmp_path, THE.recipe(sum_sample(1), version="a"))
    read = THE.read
    assert take(tmp_path, THE.recipe(sum_sample(1), sum_sample(2), version="a")).kept == 1
    assert THE.read == read


def test_of_a_changed_source_only_new_rows_are_taken(tmp_path: Path) -> None:
    bad, mended = sum_sample(4, answers=()), sum_sample(4)
    take(tmp_path, THE.recipe(sum_sample(1), sum_sample(2), sum_sample(1), bad, version="a"))
    # Row 2 has moved, row 3 is new and has the id that row 2 had, row 4 can be read now.
    moved = sum_sample(2, origin_id="sum-9")
    rows = (sum_sample(1), sum_sample(3, origin_id="sum-2"), moved, sum_sample(1), mended)
    again = THE.recipe(*rows, version="b", revision="b")
    with Job.open(again, Run(tmp_path)) as job:
        # What is gone is the bad row, which stays in quarantine.
        assert ingest(job) == Count("ingest", 6, 4, quarantined=2)
        assert job.log.made == 2
    samples = {row["origin_id"] for row in query_rows(Run(tmp_path), "FROM samples")}
    assert samples == {"sum-1", "sum-2", "sum-4"}
    assert set(quarantined(tmp_path)) == {"sum-1#2", "sum-4"}
    read = THE.read
    assert take(tmp_path, again).rows_in == 6
    assert THE.read == read
    # All of it is as it was at first: nothing is new, and nothing is taken back.
    first = THE.recipe(sum_sample(1), sum_sample(2), sum_sample(1), bad, version="a")
    assert take(tmp_path, first) == Count("ingest", 6, 4, quarantined=2)
    assert THE.read == read + 1


def test_a_changed_source_that_broke_off_is_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curation.stages.ingest._BATCH_ROWS", 2)
    take(tmp_path, THE.recipe(sum_sample(1), version="a"))
    many = [sum_sample(number) for number in range(2, 6)]
    with pytest.raises(AttributeError):
        take(tmp_path, THE.recipe(*many, None, version="b"))  # type: ignore[arg-type]
    assert Run(tmp_path).value("SELECT count(*) FROM samples") == 5
    # What is gone is sum 1, which stays.
    assert take(tmp_path, THE.recipe(*many, version="b")) == Count("ingest", 5, 5)
    # A version that was read in part does not pass for the one before it.
    with pytest.raises(AttributeError):
        take(tmp_path, THE.recipe(sum_sample(8), sum_sample(9), None, version="c"))  # type: ignore[arg-type]
    assert take(tmp_path, THE.recipe(*many, version="b")) == Count("ingest", 7, 7)


def test_quarantined_rows_are_tried_again_beside_rows_that_are_gone(tmp_path: Path) -> None:
    take(tmp_path, THE.recipe(sum_sample(1), sum_sample(2, answers=()), version="a"))
    take(tmp_path, THE.recipe(sum_sample(2, answers=()), version="b"))
    run = Run(tmp_path)
    with run.writing():
        run.retry_quarantined()
    assert take(tmp_path, THE.recipe(sum_sample(2), version="b")) == Count("ingest", 2, 2)
