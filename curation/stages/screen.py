"""Duplicates and screening: which samples are worth a model's time.

Both tables are pure functions of what was ingested and measured, so they are made anew in every
run: another filter costs seconds and no rollout.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from curation.job import Job
from curation.recipes.recipe import Filter, Recipe
from curation.stage import Count, remake, text_of, to_json
from schemas import Verdict, arrow_schema

DUPLICATE = "duplicate"
QUARANTINED = "quarantined"
TEXT_ONLY = "text_only"
"""Samples without an image are not tried: they bring their solutions, see `stages.solutions`."""

_DUPLICATES = """
    WITH numbered AS (
        SELECT sample_id, image_ids, row_number() OVER () AS position,
               trim(regexp_replace(lower(nfc_normalize(question)), '[\\s[:punct:]]+', ' ', 'g'))
                   AS asked
        FROM samples
    ), firsts AS (
        SELECT sample_id, first_value(sample_id) OVER (
                   PARTITION BY image_ids, asked ORDER BY position) AS duplicate_of
        FROM numbered
    )
    SELECT sample_id, duplicate_of FROM firsts WHERE sample_id <> duplicate_of ORDER BY ALL
"""

_SCREENED = """
    SELECT samples.*, samples.answers[1] AS answer, measures.* EXCLUDE (sample_id),
           measures.sample_id IS NULL AS unmeasured, duplicates.sample_id IS NOT NULL AS duplicate
    FROM samples
    LEFT JOIN measures USING (sample_id)
    LEFT JOIN duplicates USING (sample_id)
"""


def find_duplicates(job: Job) -> Count:
    """Samples whose images and question, but for case and punctuation, came before."""
    remake(job.run, "duplicates", _DUPLICATES)
    total = job.run.value("SELECT count(*) FROM samples")
    repeated = job.run.value("SELECT count(*) FROM duplicates")
    return Count("duplicates", total, total - repeated, dropped=repeated)


def screen(job: Job) -> Count:
    """Apply every filter to every sample and write the verdicts with all their reasons."""
    recipe = job.recipe
    rules = [(rule.name, rule.use, rule.keep.settings) for rule in recipe.filters]
    code = text_of(failures, *(rule.keep.function for rule in recipe.filters))
    by = to_json([recipe.drop_duplicates, rules, code])
    remake(job.run, "screens", _SCREENED, partial(_verdicts, recipe), by=by)
    return count_verdicts(job, "screen", "screens")


def count_verdicts(job: Job, stage: str, table: str) -> Count:
    """Samples that went in against kept, dropped and quarantined ones."""
    with job.run.connect() as db:
        row = db.execute(f"""
            SELECT (SELECT count(*) FROM samples),
                   count(*) FILTER (kept),
                   count(*) FILTER (NOT kept AND dropped_by <> '{QUARANTINED}'),
                   count(*) FILTER (NOT kept AND dropped_by = '{QUARANTINED}')
            FROM {table}
        """).fetchone()
    assert row is not None
    return Count(stage, *row).check()


def _verdicts(recipe: Recipe, screened: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    for batch in screened:
        failed = failures(batch, recipe.filters, drop_duplicates=recipe.drop_duplicates)
        columns = {
            "sample_id": batch.column("sample_id"),
            "kept": [not reasons for reasons in failed],
            "dropped_by": [reasons[0] if reasons else None for reasons in failed],
            "failed": failed,
            "split": pa.nulls(batch.num_rows, pa.string()),
        }
        yield pa.table(columns, arrow_schema(Verdict))


def failures(
    batch: pa.RecordBatch, filters: tuple[Filter, ...], *, drop_duplicates: bool
) -> list[list[str]]:
    """For each row every rule that drops it; a filter without a value drops as `unmeasured`."""
    failed: list[list[str]] = [[] for _ in range(batch.num_rows)]
    _note(failed, QUARANTINED, batch.column("unmeasured").to_pylist())
    if drop_duplicates:
        _note(failed, DUPLICATE, batch.column("duplicate").to_pylist())
    shown = [bool(images) for images in batch.column("image_ids").to_pylist()]
    _note(failed, TEXT_ONLY, [not image for image in shown])
    table = pa.Table.from_batches([batch])
    for rule in filters:
        kept = list(zip(shown, rule.keep(table).to_pylist(), strict=True))
        _note(failed, f"{rule.name}:unmeasured", [image and keep is None for image, keep in kept])
        _note(failed, rule.name, [image and keep is False for image, keep in kept])
    return failed


def _note(failed: list[list[str]], reason: str, drops: list[bool]) -> None:
    for reasons, drop in zip(failed, drops, strict=True):
        if drop:
            reasons.append(reason)
