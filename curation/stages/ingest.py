"""Ingest: rows of the sources become samples with an identity, or go to quarantine.

A source is read to its end once. When a run is killed before that, the source is read again, and
rows that are known by their id are passed over before their images are looked at.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from curation.errors import SourceError, StaleSettingsError
from curation.job import Job
from curation.recipes.recipe import Source
from curation.recipes.settings import keyword_parameters
from curation.runs import Run
from curation.sources import BadRow, Row
from curation.stage import Count, failed_row, query_rows, to_json
from curation.stages.admit import Admitted, RowError, admit
from curation.stages.ledger import Ledger
from schemas import Image, Pull, Quarantined

NAME = "ingest"
_BATCH_ROWS = 1024
_BATCH_BYTES = 64 * 2**20
_IMAGE_WRITERS = 16
"""Threads: every image is synced to the disk, and one sync at a time is most of an ingest."""


def ingest(job: Job) -> Count:
    """Read every source of the recipe that was not read to its end before.

    Raises:
        StaleSettingsError: a source was read with other settings, or is not in the recipe.
        SourceError: a source cannot be opened or breaks off.
    """
    pulls = _pulls(job.run)
    _check_sources(job, pulls)
    for source in job.recipe.sources:
        prior = pulls.get(source.name)
        if prior is None or prior.rows is None or prior.limit != source.limit:
            _pull(job, source, prior)
    for name in ("samples", "images_index", "quarantine", "pulls"):
        job.run.table(name).compact(NAME)
    return count_ingest(job.run)


def count_ingest(run: Run) -> Count:
    """Rows that the sources gave, against the samples and the quarantine."""
    pulled = sum(pull.rows or 0 for pull in _pulls(run).values())
    kept = run.value("SELECT count(*) FROM samples")
    failed = run.value(f"SELECT count(*) FROM quarantine WHERE stage = '{NAME}'")
    return Count(NAME, pulled, kept, quarantined=failed).check()


def _pulls(run: Run) -> dict[str, Pull]:
    """The latest pull of every source: the one that asked for the most, finished before not."""
    order = 'SELECT * FROM pulls ORDER BY "limit" NULLS LAST, rows NULLS FIRST'
    return {row["source"]: Pull(**row) for row in query_rows(run, order)}


def _pull_of(source: Source, rows: int | None) -> Pull:
    return Pull(source.name, source.use, to_json(dict(source.settings)), source.limit, rows)


def _check_sources(job: Job, pulls: dict[str, Pull]) -> None:
    named = {source.name: source for source in job.recipe.sources}
    for name, pull in pulls.items():
        if name not in named:
            raise StaleSettingsError(
                f"{job.run.path} holds samples of the source {name!r}, which the recipe does not"
                " name: put it back, or use another run folder"
            )
        now = _pull_of(named[name], pull.rows)
        if (pull.use, pull.settings) != (now.use, now.settings):
            raise StaleSettingsError(
                f"the source {name!r} was read with {pull.use} {pull.settings} and the recipe now"
                f" says {now.use} {now.settings}: use another name or another run folder"
            )
        if _limit(now) < _limit(pull):
            raise StaleSettingsError(
                f"the source {name!r} was read with limit = {pull.limit} and the recipe now says"
                f" {now.limit}: rows are never taken back, so use another run folder"
            )


def _limit(pull: Pull) -> float:
    return math.inf if pull.limit is None else pull.limit


def _pull(job: Job, source: Source, started: Pull | None) -> None:
    pulls = job.run.table("pulls")
    rows = 0
    with (
        Ledger.open(job.run, source.name) as ledger,
        job.reporter.stage(f"ingest {source.name}", source.limit, "rows") as meter,
    ):
        intake = Intake(job.run, source.name, ledger)
        for batch in _batches(open_source(source)):
            if rows == 0 and started != _pull_of(source, None):
                # From here on the run holds rows that these settings made.
                pulls.append(NAME, [_pull_of(source, None)], {})
            intake.take(batch)
            rows += len(batch)
            meter.advance(len(batch))
    pulls.append(NAME, [_pull_of(source, rows)], {})
    job.made += rows


def open_source(source: Source) -> Iterator[Row]:
    """The rows of a source; a setting that it refuses is told like any other bad input.

    Raises:
        SourceError: the source cannot be opened.
    """
    try:
        yield from _rows(source)
    except ValueError as error:
        raise SourceError(f"the source {source.name!r} cannot be read: {error}") from error


def _rows(source: Source) -> Iterator[Row]:
    """Open a source; `limit` goes to the source itself where it has such a setting."""
    settings = dict(source.settings)
    if source.limit is not None and "limit" in keyword_parameters(source.function):
        settings["limit"] = source.limit
    return itertools.islice(source.function(**settings), source.limit)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += 0 if isinstance(row, BadRow) else sum(map(len, row.images))
        if len(batch) >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes a source's rows into the run, batch by batch."""

    run: Run
    source: str
    ledger: Ledger

    def take(self, rows: list[Row]) -> None:
        """Write what the run does not hold yet: images first, then what refers to them."""
        keys = self._keys(rows)
        known = self.ledger.times("rows_known", keys)
        admitted: dict[str, Admitted] = {}
        failed: list[Quarantined] = []
        for key, row in zip(keys, rows, strict=True):
            if key not in known:
                try:
                    self._admit(key, row, admitted)
                except RowError as error:
                    failed.append(self._failed(key, row, error))
        repeated = self.ledger.times("samples_known", admitted)
        failed += [self._repeat(admitted.pop(sample_id)) for sample_id in repeated]
        self._store_images(admitted.values())
        self._write(admitted, failed)

    def _keys(self, rows: list[Row]) -> list[str]:
        """The rows' ids; an id that comes again is numbered, so that no row hides another."""
        ids = [row.origin_id for row in rows]
        times = Counter(self.ledger.times("ids_read", ids))
        self.ledger.add("ids_read", ids)
        keys = []
        for origin_id in ids:
            times[origin_id] += 1
            number = times[origin_id]
            keys.append(origin_id if number == 1 else f"{origin_id}#{number}")
        return keys

    def _admit(self, key: str, row: Row, admitted: dict[str, Admitted]) -> None:
        if isinstance(row, BadRow):
            raise RowError(row.error, row.message)
        if key != row.origin_id:
            raise RowError(
                "duplicate_id", "its id was read before: give every row an id of its own"
            )
        new = admit(self.source, row)
        if twin := admitted.get(new.sample.sample_id):
            raise _same_as(twin.sample.origin_id)
        admitted[new.sample.sample_id] = new

    def _repeat(self, new: Admitted) -> Quarantined:
        sample = new.sample
        error = _same_as(f"sample {sample.sample_id[:12]} of this run")
        return self._quarantined(sample.origin_id, error)

    def _failed(self, key: str, row: Row, error: RowError) -> Quarantined:
        return self._quarantined(key, error, verbatim=isinstance(row, BadRow))

    def _quarantined(self, key: str, error: RowError, verbatim: bool = False) -> Quarantined:
        # A source words its own bad rows completely; ours still have to be told where they are.
        message = str(error) if verbatim else f"row {key} of source {self.source}: {error}"
        return failed_row(NAME, key, self.source, error.fault, message, origin_id=key)

    def _store_images(self, admitted: Iterable[Admitted]) -> None:
        images: dict[str, tuple[Image, bytes]] = {}
        for new in admitted:
            images.update((image.image_id, (image, encoded)) for image, encoded in new.images)
        known = self.ledger.times("images_known", images)
        fresh = [pair for image_id, pair in images.items() if image_id not in known]
        with ThreadPoolExecutor(_IMAGE_WRITERS) as pool:
            list(pool.map(lambda pair: self.run.images.put(pair[1], pair[0]), fresh))
        if fresh:
            self.run.table("images_index").append(NAME, [image for image, _ in fresh], {})
            self.ledger.add("images_known", [image.image_id for image, _ in fresh])

    def _write(self, admitted: dict[str, Admitted], failed: list[Quarantined]) -> None:
        if admitted:
            samples = [new.sample for new in admitted.values()]
            self.run.table("samples").append(NAME, samples, {})
            self.ledger.add("samples_known", admitted)
        if failed:
            self.run.table("quarantine").append(NAME, failed, {})


def _same_as(other: str) -> RowError:
    return RowError(
        "duplicate_row", f"its question, answers, choices and images are those of {other}"
    )
