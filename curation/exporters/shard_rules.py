"""Rules of shard sets: what keeps a loader from reading rows that are sound by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.exporters import provenance
from curation.exporters.croissant import CROISSANT
from curation.exporters.manifest import MANIFEST, Manifest, Shard
from curation.exporters.settings import MAX_GROUP_BYTES, MAX_GROUP_ROWS, MAX_SHARD_BYTES

SET_RULES = (
    "shards",
    "readable",
    "schema",
    "metadata",
    "row_groups",
    "shard_size",
    "row_count",
    "provenance",
    "split_images",
    "launch_files",
)

_ENCODING = 1 << 20
"""Bytes by which a row group's encoding may exceed its rows."""
_AGAIN = "write the export again"


class Finding(NamedTuple):
    """A rule that an export breaks, and where."""

    where: str
    """A folder, a shard, or a row of one: `verl/train-00000.parquet row 3`, counted from 0."""
    rule: str
    sentence: str


def check_files(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """The files of one export: those it should have, and no others that trainers would read."""
    named = {shard.name for shard in manifest.shards}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}
    there -= {f"{provenance.FOLDER}/{name}.parquet" for name in provenance.SCHEMAS}
    if not named:
        yield Finding(str(folder), "shards", "the export has no rows: its card says why")
    for name in sorted(named - there):
        yield Finding(f"{folder}/{name}", "shards", f"the shard is missing: {_AGAIN}")
    for name in sorted(there - named):
        sentence = "the file is no shard of this export, and trainers read whole folders: remove it"
        yield Finding(f"{folder}/{name}", "shards", sentence)


def check_launch(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Launch files: that each can be parsed, and that together they name every shard."""
    texts = {path: path.read_text(encoding="utf-8") for path in _launch_files(folder)}
    for path, text in texts.items():
        if path.suffix == ".json":
            try:
                json.loads(text)
            except ValueError as error:
                yield Finding(str(path), "launch_files", f"no valid JSON ({error}): mend it")
    for shard in manifest.shards if texts else ():
        if not any(shard.name in text for text in texts.values()):
            sentence = f"no launch file names {shard.name}, which is then not trained on: add it"
            yield Finding(str(folder), "launch_files", sentence)


def _launch_files(folder: Path) -> list[Path]:
    skipped = (MANIFEST, CROISSANT)
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in (".sh", ".py", ".json", ".yaml") and path.name not in skipped
    ]


def check_shard(path: Path, shard: Shard, schema: pa.Schema) -> Iterator[Finding]:
    """One shard by its footer: schema, metadata and sizes."""
    where = f"{path.parent}/{path.name}"
    try:
        with pq.ParquetFile(path) as file:
            found, footer = file.schema_arrow, file.metadata
            groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    except (OSError, pa.ArrowException) as error:
        yield Finding(where, "readable", f"no sound Parquet file ({error}): {_AGAIN}")
        return
    if fault := schema_fault(found, schema):
        yield Finding(where, "schema", fault)
    elif found.metadata != schema.metadata:
        kinds = ", ".join(sorted(key.decode() for key in found.metadata or {})) or "none"
        yield Finding(
            where,
            "metadata",
            f"the schema's metadata ({kinds}) is not that of the target, and loaders cannot join"
            " such shards: write them with plain pyarrow, or export again",
        )
    if footer.num_rows != shard.rows or not footer.num_rows:
        sentence = f"{footer.num_rows} rows, and export.json says {shard.rows}: {_AGAIN}"
        yield Finding(where, "row_count", sentence)
    yield from _check_sizes(where, path.stat().st_size, groups)


def _check_sizes(where: str, size: int, groups: Sequence[pq.RowGroupMetaData]) -> Iterator[Finding]:
    if size > MAX_SHARD_BYTES:
        sentence = f"{size:,} bytes, and loaders overflow near 2 GiB: write smaller shards"
        yield Finding(where, "shard_size", sentence)
    for number, group in enumerate(groups):
        large = group.total_byte_size > MAX_GROUP_BYTES + _ENCODING
        if large or group.num_rows > MAX_GROUP_ROWS:
            yield Finding(
                where,
                "row_groups",
                f"row group {number} has {group.num_rows:,} rows and {group.total_byte_size:,}"
                f" bytes: write at most {MAX_GROUP_ROWS} rows and {MAX_GROUP_BYTES:,} bytes each",
            )
            return


def schema_fault(found: pa.Schema, wanted: pa.Schema) -> str | None:
    """How a shard's columns differ, in one sentence; loaders do not join shards that differ."""
    if found.equals(wanted):
        return None
    missing = [name for name in wanted.names if name not in found.names]
    extra = [name for name in found.names if name not in wanted.names]
    if missing or extra:
        return f"columns missing: {missing}, too many: {extra}: {_AGAIN}"
    for column in wanted:
        kind = found.field(column.name).type
        if kind != column.type:
            return f"{column.name} is of type {kind}: it must be {column.type}"
    return f"the columns stand in the order {found.names}: it must be {wanted.names}"


def read_provenance(folder: Path) -> pa.Table | None:
    """Who is in which row, in the order of the rows; None where the table cannot be read."""
    path = folder / provenance.FOLDER / f"{provenance.PROVENANCE}.parquet"
    try:
        table = pq.read_table(path, columns=["split", "position", "row_id", "image_ids"])
    except (OSError, pa.ArrowException, KeyError):
        return None
    return table.sort_by([("split", "ascending"), ("position", "ascending")])


def check_provenance(folder: Path, manifest: Manifest, table: pa.Table | None) -> Iterator[Finding]:
    """Whether every row has one line in the provenance, at its own position."""
    where = f"{folder}/{provenance.FOLDER}/{provenance.PROVENANCE}.parquet"
    if table is None:
        yield Finding(where, "provenance", f"the table is missing or broken: {_AGAIN}")
        return
    for split in sorted({shard.split for shard in manifest.shards} | set(_splits(table))):
        rows = sum(shard.rows for shard in manifest.shards if shard.split == split)
        found = table.filter(pc.equal(table["split"], split))["position"].to_pylist()
        if found != list(range(rows)):
            sentence = f"the split {split} has {rows} rows and {len(found)} lines here: {_AGAIN}"
            yield Finding(where, "provenance", sentence)


def _splits(table: pa.Table) -> list[str]:
    names: list[str] = pc.unique(table["split"]).to_pylist()
    return names


def check_splits(folders: Sequence[Path], tables: Sequence[pa.Table | None]) -> Iterator[Finding]:
    """An image on both sides of a split is a question whose answer was trained."""
    held: dict[str, set[str]] = {}
    for folder, table in zip(folders, tables, strict=True):
        if table is None:
            continue
        for split in _splits(table):
            images = pc.list_flatten(table.filter(pc.equal(table["split"], split))["image_ids"])
            ours = set(pc.unique(images).to_pylist())
            for other, theirs in held.items():
                if other != split and (shared := ours & theirs):
                    yield Finding(
                        str(folder),
                        "split_images",
                        f"{len(shared)} images are in {other} and in {split}, such as"
                        f" {min(shared)[:12]}: export both with one seed and val_share",
                    )
            held.setdefault(split, set()).update(ours)
