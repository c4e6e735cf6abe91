"""Ingest: rows of the sources become samples with an identity, or go to quarantine.

A source is read to its end once. When a run is killed before that, the source is read again, and
rows that are known by their id are passed over before their images are looked at.

A source that can change tells its version: beside `parquet` stands `version_parquet`, which takes
the same settings. At another version the source is read again, and rows are known by what they
say, since their ids may have moved: new ones are taken, and what is gone from the source stays.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

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
_VERSION, _REVISION = "@version", "revision"
"""Among the settings of a pull: what the source said of its version, and the setting of a source
that chooses one. They may change, the others shaped the rows."""
_IMAGE_WRITERS = 16
"""Threads: every image is synced to the disk, and one sync at a time is most of an ingest."""


def ingest(job: Job) -> Count:
    """Read every source of the recipe that was not read to its end before, or has changed since.

    Raises:
        StaleSettingsError: a source was read with other settings, or is not in the recipe.
        SourceError: a source cannot be opened or breaks off.
    """
    wanted = {source.name: _pull_of(source) for source in job.recipe.sources}
    pulls = _pulls(job.run)
    for name, written in pulls.items():
        _check_source(job.run, name, written[-1], wanted.get(name))
    for source in job.recipe.sources:
        before = pulls.get(source.name, [])
        finished = before and before[-1].rows is not None
        if not finished or replace(before[-1], rows=None) != wanted[source.name]:
            _pull(job, source, wanted[source.name], before)
    for name in ("samples", "images_index", "quarantine", "pulls"):
        job.run.table(name).compact(NAME)
    return count_ingest(job.run)


def count_ingest(run: Run) -> Count:
    """Rows that the sources gave, against the samples and the quarantine."""
    pulled = sum(pulls[-1].rows or 0 for pulls in _pulls(run).values())
    kept = run.value("SELECT count(*) FROM samples")
    failed = run.value(f"SELECT count(*) FROM quarantine WHERE stage = '{NAME}'")
    return Count(NAME, pulled, kept, quarantined=failed).check()


def _pulls(run: Run) -> dict[str, list[Pull]]:
    """The pulls of every source in the order in which they were written; a null number of rows
    stands for one that was not finished."""
    pulls: dict[str, list[Pull]] = {}
    for row in query_rows(run, "FROM pulls"):
        pulls.setdefault(row["source"], []).append(Pull(**row))
    return pulls


def _pull_of(source: Source) -> Pull:
    """A pull of the source as it is now, not yet finished."""
    version = source_version(source)
    told = {} if version is None else {_VERSION: version}
    settings = to_json({**source.settings, **told})
    return Pull(source.name, source.use, settings, source.limit, rows=None)


def source_version(source: Source) -> str | None:
    """What would change with the rows of a source; null where it is always the same."""
    function = source.function
    module = sys.modules[function.__module__]
    versioned = getattr(module, f"version_{function.__name__}", None)
    return None if versioned is None else str(versioned(**source.settings))


def _shaping(pull: Pull) -> str:
    """The settings of a pull but for those that say which version was read."""
    settings = json.loads(pull.settings)
    return to_json({k: v for k, v in settings.items() if k not in (_VERSION, _REVISION)})


def _check_source(run: Run, name: str, pull: Pull, now: Pull | None) -> None:
    """Whether what was pulled last may be gone on with as the recipe says now."""
    if now is None:
        raise StaleSettingsError(
            f"{run.path} holds samples of the source {name!r}, which the recipe does not"
            " name: put it back, or use another run folder"
        )
    if (pull.use, _shaping(pull)) != (now.use, _shaping(now)):
        raise StaleSettingsError(
            f"the source {name!r} was read with {pull.use} {_shaping(pull)} and the recipe now"
            f" says {now.use} {_shaping(now)}: use another name or another run folder"
        )
    if _limit(now) < _limit(pull):
        raise StaleSettingsError(
            f"the source {name!r} was read with limit = {pull.limit} and the recipe now says"
            f" {now.limit}: rows are never taken back, so use another run folder"
        )


def _limit(pull: Pull) -> float:
    return math.inf if pull.limit is None else pull.limit


def _pull(job: Job, source: Source, wanted: Pull, before: list[Pull]) -> None:
    versions = {pull.settings for pull in before}
    pulls = job.run.table("pulls")
    rows = new = 0
    with (
        Ledger.open(job.run, source.name) as ledger,
        job.reporter.stage(f"ingest {source.name}", source.limit, "rows") as meter,
    ):
        intake = Intake(job.run, source.name, ledger, by_content=versions != {wanted.settings})
        for batch in _batches(open_source(source)):
            if rows == 0 and wanted not in before[-1:]:
                # From here on the run holds rows that these settings made.
                pulls.append(NAME, [wanted], {})
            new += intake.take(batch)
            rows += len(batch)
            meter.advance(len(batch))
        gone = ledger.gone() if intake.by_content else 0
    if versions - {wanted.settings}:
        job.reporter.say(f"the source {source.name} has changed: {new} new rows, {gone} gone")
    pulls.append(NAME, [replace(wanted, rows=rows + gone)], {})
    job.log.made += new


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
    by_content: bool = False
    """Rows are known by what they say, and not by their id: the run holds none of this source, or
    some that another version gave."""

    def take(self, rows: list[Row]) -> int:
        """Write what the run does not hold yet, images first, then what refers to them; and say
        how many rows that were."""
        keys = self._keys(rows)
        known = {} if self.by_content else self.ledger.times("rows_known", keys)
        admitted: dict[str, Admitted] = {}
        failed: list[Quarantined] = []
        for key, row in zip(keys, rows, strict=True):
            if key not in known:
                try:
                    self._admit(key, row, admitted)
                except RowError as error:
                    failed.append(self._failed(key, row, error))
        for sample_id in self.ledger.take("samples_left", admitted) if self.by_content else ():
            del admitted[sample_id]
        repeated = self.ledger.times("samples_known", admitted)
        failed += [self._repeat(admitted.pop(sample_id)) for sample_id in repeated]
        if self.by_content:
            held = self.ledger.take("failed_left", [row.key for row in failed])
            failed = [row for row in failed if row.key not in held]
        self._store_images(admitted.values())
        self._write(admitted, failed)
        return len(admitted) + len(failed)

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
