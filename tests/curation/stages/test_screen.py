from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.job import Job
from curation.recipes.file import parse_recipe
from curation.recipes.recipe import Recipe, Source
from curation.runs import Run
from curation.sources import RawSample
from curation.stage import Count
from curation.stages.ingest import ingest
from curation.stages.measure import measure
from curation.stages.screen import find_duplicates, screen
from schemas import Measure
from schemas.arrow import from_dict
from tests.curation.scene import picture, recipe_text, sum_sample

FILTERS = """
[[filters]]
use = "min_image_side"
at_least = 100
[[filters]]
use = "evidence_fraction"
at_most = 0.5
"""


def recipe_of(*rows: RawSample, filters: str = "", **changes: Any) -> Recipe:
    def source() -> Iterator[RawSample]:
        yield from rows

    recipe = parse_recipe(recipe_text("http://localhost:1/v1") + filters, "scene")
    sources = (Source("rows", "tests:rows", source, {}, None),)
    return dataclasses.replace(recipe, sources=sources, **changes)


def screened(path: Path, recipe: Recipe) -> tuple[Count, dict[str, list[str]]]:
    """The stage's count, and every sample's failed rules by the row's id."""
    with Job.open(recipe, Run(path)) as job:
        ingest(job)
        measure(job)
        find_duplicates(job)
        count = screen(job)
        with job.run.connect() as db:
            rows = db.execute(
                "SELECT origin_id, failed FROM screens JOIN samples USING (sample_id)"
            ).fetchall()
    return count, dict(rows)


def test_measures_of_a_sample(tmp_path: Path) -> None:
    screened(tmp_path, recipe_of(sum_sample(1)))
    with Run(tmp_path).connect() as db:
        row = db.sql("FROM measures").to_arrow_table().to_pylist()[0]
    found = from_dict(Measure, row)
    assert (found.image_count, found.min_image_side, found.max_image_pixels) == (1, 64, 4096)
    assert found.max_aspect_ratio == 1.0
    assert found.image_spread is not None and 30 < found.image_spread < 60
    assert found.evidence_fraction == 32 * 32 / 64**2
    assert found.answer_chars == 1


def test_every_reason_is_recorded_and_the_first_drops(tmp_path: Path) -> None:
    rows = [
        sum_sample(1),
        sum_sample(2, images=(picture(2, side=128),)),
        sum_sample(3, evidence=(), images=(picture(3, side=128),)),
        sum_sample(4, evidence=()),
    ]
    count, failed = screened(tmp_path, recipe_of(*rows, filters=FILTERS))
    assert failed == {
        "sum-1": ["min_image_side"],
        "sum-2": [],
        "sum-3": ["evidence_fraction:unmeasured"],
        "sum-4": ["min_image_side", "evidence_fraction:unmeasured"],
    }
    assert count == Count("screen", 4, 1, dropped=3)


def test_the_same_question_about_the_same_images_is_a_duplicate_of_the_first(
    tmp_path: Path,
) -> None:
    first = sum_sample(1, question="What is 1 plus 1?")
    again = sum_sample(1, question="what is 1  plus 1 ?", origin_id="again")
    other = sum_sample(1, question="What is 1 plus 1?", images=(picture(9),), origin_id="other")
    recipe = recipe_of(first, again, other)
    count, failed = screened(tmp_path, recipe)
    assert failed == {"sum-1": [], "again": ["duplicate"], "other": []}
    assert count == Count("screen", 3, 2, dropped=1)
    _, failed = screened(tmp_path, dataclasses.replace(recipe, drop_duplicates=False))
    assert failed["again"] == []


def test_an_image_that_cannot_be_decoded_is_quarantined_and_never_kept(tmp_path: Path) -> None:
    rows = [sum_sample(1, images=(picture(1)[:2000],)), sum_sample(2)]
    count, failed = screened(tmp_path, recipe_of(*rows))
    assert count == Count("screen", 2, 1, quarantined=1)
    assert failed["sum-1"][0] == "quarantined" and failed["sum-2"] == []
    message = Run(tmp_path).value("SELECT message FROM quarantine WHERE error = 'image_damaged'")
    assert "one of its images is unusable: it cannot be decoded" in message
