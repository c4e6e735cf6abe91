"""Tables on disk: a folder of Parquet parts, each written whole or not at all.

A part is `<stage>-<number>.parquet`; a part that compaction made is `<stage>-<first>-<last>` and
stands for every part in that range, so that a kill between writing it and deleting the others
doubles nothing. The settings that shape a part's rows lie in its footer.
"""

from __future__ import annotations

import errno
import filecmp
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import RunError, StaleSettingsError
from schemas import arrow_schema, to_table

PARTIAL = ".partial"
"""Suffix of files that are not yet whole; swept when a run is opened for writing."""

_NAME = re.compile(r"(?P<stage>[a-z0-9_]+)-(?P<first>\d{5,})(?:-(?P<last>\d{5,}))?\.parquet")
_MARK = b"toolsight"
_WHOLE = "all"
"""Stands for the stage where a table is written as a whole."""
_ROW_GROUP = 8192
_FULL_PART = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a table; `first` to `last` are the parts that it stands for."""

    stage: str
    first: int
    last: int
    path: Path

    @property
    def settings(self) -> dict[str, Any]:
        """What shaped its rows, or what they were made from."""
        metadata = pq.read_schema(self.path).metadata or {}
        settings: dict[str, Any] = json.loads(metadata.get(_MARK, b"{}"))
        return settings

    @property
    def written(self) -> tuple[int, int]:
        """Size and time of the file, by which one of the same name is told from it."""
        stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns


@contextmanager
def whole(final: Path) -> Iterator[Path]:
    """A file to write that gets its final name when the block ends, so that no reader ever sees
    half of it; when the block fails, nothing is left of it. A file that says the same already is
    not touched, so that nothing made from it need be made again."""
    partial = final.with_name(final.name + PARTIAL)
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        if final.exists() and filecmp.cmp(partial, final, shallow=False):
            partial.unlink()
        else:
            os.replace(partial, final)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a whole file or none of it."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def is_full(error: Exception) -> bool:
    """Whether a disk without room, or a quota, is behind an error; DuckDB says so in words."""
    known = (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "errno", None) in known or os.strerror(errno.ENOSPC) in str(error)


@dataclass(frozen=True, slots=True)
class Table:
    """The parts of one record in one folder; one writer at a time (`Run.writing`)."""

    folder: Path
    record: type

    def _files(self) -> list[Part]:
        found = []
        for path in self.folder.glob("*.parquet"):
            if match := _NAME.fullmatch(path.name):
                first = int(match["first"])
                found.append(Part(match["stage"], first, int(match["last"] or first), path))
        return sorted(found, key=lambda part: (part.stage, part.first, -part.last))

    def parts(self, stage: str | None = None) -> list[Part]:
        """Parts in the order they were written, without those a compacted one stands for."""
        kept: list[Part] = []
        for part in self._files():
            covered = kept and kept[-1].stage == part.stage and part.last <= kept[-1].last
            if not covered:
                kept.append(part)
        return [part for part in kept if stage in (None, part.stage)]

    def append(
        self,
        stage: str,
        rows: Sequence[Any],
        settings: Mapping[str, Any],
        *,
        after: int | None = None,
    ) -> int:
        """Write rows as the stage's next part; the Parquet writer refuses a null out of place.

        Args:
            stage: who made the rows.
            rows: records of the table's kind.
            settings: what shapes them.
            after: the stage's last part, for who knows it: else all parts are looked at, and a
                writer of thousands would look at millions.

        Returns:
            The number of the part.
        """
        table = to_table(self.record, rows)
        if after is None or (self.folder / f"{stage}-{after + 1:05d}.parquet").exists():
            after = max((part.last for part in self.parts(stage)), default=-1)
        self._write(f"{stage}-{after + 1:05d}", [table], settings)
        return after + 1

    def replace(
        self, batches: Iterable[pa.RecordBatch | pa.Table], mark: Mapping[str, Any] | None = None
    ) -> None:
        """Make these the table's only rows, all at once: for tables that are recomputed.

        mark: what they were made from
        """
        self._write(f"{_WHOLE}-00000", batches, mark or {})

    def supersede(
        self,
        stage: str,
        batches: Iterable[pa.RecordBatch | pa.Table],
        settings: Mapping[str, Any],
    ) -> None:
        """Make these the stage's only rows, all at once: one part that stands for all before it."""
        last = max((part.last for part in self.parts(stage)), default=0) + 1
        self._write(f"{stage}-{0:05d}-{last:05d}", batches, settings)
        self.sweep()

    def _write(
        self, name: str, tables: Iterable[pa.RecordBatch | pa.Table], settings: Mapping[str, Any]
    ) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        mark = {_MARK: json.dumps(dict(settings), sort_keys=True)}
        schema = arrow_schema(self.record)
        marked = schema.with_metadata(mark)
        with (
            whole(self.folder / f"{name}.parquet") as partial,
            pq.ParquetWriter(partial, marked, compression="zstd") as writer,
        ):
            for table in tables:
                if isinstance(table, pa.RecordBatch):
                    table = pa.Table.from_batches([table])
                writer.write_table(table.cast(schema), row_group_size=_ROW_GROUP)

    def check_schema(self) -> None:
        """Refuse to read rows of another version of the record. One part tells for all: nothing
        is added to such rows.

        Raises:
            RunError: naming the columns, and what to do.
        """
        part = next(iter(self.parts()), None)
        if part is None:
            return
        differing = {*pq.read_schema(part.path)} ^ {*arrow_schema(self.record)}
        if differing:
            names = ", ".join(sorted({field.name for field in differing}))
            whole = part.stage == _WHOLE
            raise RunError(
                f"the rows in {self.folder} were written by another version of Toolsight, with"
                f" other columns ({names}): "
                + ("delete that folder and run again" if whole else "use another run folder")
            )

    def check_settings(
        self, stage: str, settings: Mapping[str, Any], *, mend: str | None = None
    ) -> None:
        """Refuse to add rows to rows that other settings made; `mend` is what would do.

        Raises:
            StaleSettingsError: naming each setting on disk and in the recipe.
        """
        again = (
            f"use another run folder, or delete {self.folder}/{stage}-*.parquet to make them again"
        )
        for part in self.parts(stage):
            written = part.settings
            changed = [
                key for key in {**written, **settings} if written.get(key) != settings.get(key)
            ]
            if changed:
                differences = "; ".join(
                    f"{key} was {written.get(key)!r} and is now {settings.get(key)!r}"
                    for key in changed
                )
                raise StaleSettingsError(
                    f"the rows of stage {stage!r} in {self.folder} were made by other settings"
                    f" ({differences}): {mend or again}"
                )

    def compact(self, stage: str, *, at_least: int = 8) -> None:
        """Merge runs of neighbouring small parts, so that the number of parts stays small."""
        for group in _neighbours(self.parts(stage)):
            if len(group) < at_least:
                continue
            name = f"{stage}-{group[0].first:05d}-{group[-1].last:05d}"
            self._write(name, _row_groups(group), group[0].settings)
            self.sweep()

    def sweep(self) -> None:
        """Delete what a kill left: files that are not whole, parts that another stands for."""
        whole = set(self.parts())
        for part in self._files():
            if part not in whole:
                part.path.unlink()
        for path in self.folder.glob(f"*{PARTIAL}"):
            path.unlink()

    def clear(self, stage: str | None = None) -> None:
        """Delete every row, or every row of a stage."""
        for part in self._files():
            if stage in (None, part.stage):
                part.path.unlink()


def _neighbours(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Consecutive parts whose files together stay below a full part."""
    group: list[Part] = []
    size = 0
    for part in parts:
        weight = part.path.stat().st_size
        if group and size + weight > _FULL_PART:
            yield group
            group, size = [], 0
        group.append(part)
        size += weight
    if group:
        yield group


def _row_groups(parts: Sequence[Part]) -> Iterator[pa.Table]:
    """Rows of many small parts, gathered to row groups of a useful size."""
    pending: list[pa.Table] = []
    for part in parts:
        with pq.ParquetFile(part.path) as file:
            for index in range(file.num_row_groups):
                pending.append(file.read_row_group(index))
                if sum(table.num_rows for table in pending) >= _ROW_GROUP:
                    yield pa.concat_tables(pending)
                    pending = []
    if pending:
        yield pa.concat_tables(pending)
