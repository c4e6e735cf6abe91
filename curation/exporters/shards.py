"""Parquet shards of one schema, written row by row with bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import ExportError
from curation.exporters.manifest import Shard

_FOOTER_GROUP = 2**12
"""Bytes that a row group may take in the footer: some hundred for each of a dozen columns."""
_FOOTER = 2**14
"""Bytes of the rest of the footer, the schema above all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large shards and row groups may become, in bytes before compression."""

    shard_bytes: int
    group_rows: int
    group_bytes: int

    def __post_init__(self) -> None:
        """Raises ExportError for limits that no shard can keep."""
        if not 0 < 2 * self.group_bytes <= self.shard_bytes - _FOOTER:
            raise ExportError(
                f"group_bytes is {self.group_bytes} and shard_bytes {self.shard_bytes}: a shard"
                " must have room for at least two row groups and its footer"
            )


class ShardWriter:
    """Context manager that writes `<stem>-00000.parquet` and so on, all with one schema.

    Rows are buffered to a row group, groups go to the open shard, and a group that the shard has
    no room for opens the next one. With one_file everything goes to `<stem>.parquet`, which is
    there even without rows.
    """

    def __init__(
        self, folder: Path, stem: str, schema: pa.Schema, limits: Limits, *, one_file: bool = False
    ) -> None:
        self._folder = folder
        self._stem = stem
        self._schema = schema
        self._limits = limits
        self._one_file = one_file
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._sink: pa.NativeFile | None = None
        self._writer: pq.ParquetWriter | None = None
        self._written = self._groups = 0
        self.rows = 0
        self.shards: list[Shard] = []

    def __enter__(self) -> ShardWriter:
        return self

    def append(self, row: dict[str, Any]) -> None:
        """Add one row, which must be of the schema."""
        size = row_bytes(row)
        full = len(self._rows) == self._limits.group_rows
        if full or (self._rows and self._bytes + size > self._limits.group_bytes):
            self._flush()
        self._rows.append(row)
        self._bytes += size
        self.rows += 1

    def _flush(self) -> None:
        table = pa.Table.from_pylist(self._rows, self._schema)
        if not self._one_file and self._written and not self._has_room(table.nbytes):
            self._close()
        self._open().write_table(table, row_group_size=len(self._rows))
        self._groups += 1
        self._written += len(self._rows)
        self._rows, self._bytes = [], 0

    def _has_room(self, size: int) -> bool:
        footer = _FOOTER + (self._groups + 1) * _FOOTER_GROUP
        written: int = self._sink.tell() if self._sink else 0
        return written + size + footer <= self._limits.shard_bytes

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._sink = pa.OSFile(str(self._folder / self._name()), "wb")
            # Dictionaries and statistics of image bytes only cost time.
            self._writer = pq.ParquetWriter(
                self._sink, self._schema, use_dictionary=False, write_statistics=False
            )
        return self._writer

    def _name(self) -> str:
        number = "" if self._one_file else f"-{len(self.shards):05d}"
        return f"{self._stem}{number}.parquet"

    def _close(self) -> None:
        if self._writer is not None and self._sink is not None:
            self._writer.close()
            size = self._sink.tell()
            self._sink.close()
            self.shards.append(Shard(self._name(), self._written, size))
        self._writer = self._sink = None
        self._written = self._groups = 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            if self._rows:
                self._flush()
            if self._one_file:
                self._open()
        self._close()


def row_bytes(value: object) -> int:
    """Bytes of the texts and images in a row, which is nearly all that it will take."""
    if isinstance(value, dict):
        return sum(row_bytes(part) for part in value.values())
    if isinstance(value, list):
        return sum(row_bytes(part) for part in value)
    if isinstance(value, bytes):
        return len(value)
    return len(value.encode(errors="replace")) if isinstance(value, str) else 8
