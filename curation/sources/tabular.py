"""Samples from Parquet and JSON files on disk, read batch by batch."""

from __future__ import annotations

import glob
import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import RecipeError, SourceError
from curation.sources.arrow_types import same_kind
from curation.sources.base import BadRow, Row
from curation.sources.columns import read_rows
from curation.sources.json_files import json_rows
from curation.sources.layout import Cells, Layout, make_layout
from curation.sources.presets import preset_layout

BATCH_ROWS = 64
"""Rows in memory at once; an encoded image may have some megabytes."""
PARQUET, JSON = (".parquet", ".pq"), (".jsonl", ".json", ".ndjson")
_PAGE_BUFFER = 1 << 20
_LOOK_AHEAD = 100


def parquet(
    *,
    path: str,
    columns: Mapping[str, object] | None = None,
    preset: str | None = None,
    image_root: str | None = None,
    category: str | None = None,
    answer_kind: str | None = None,
    license: str | None = None,
    box_format: str | None = None,
    box_scale: str | None = None,
    max_answer_chars: int | None = None,
) -> Iterator[Row]:
    """Rows of the Parquet files at `path`: a file, a folder with all below it, or a glob.

    columns: column names by role (see `Columns`)
    preset: a known data set, whose columns need not be named
    image_root: where image paths begin; by default the folder of the file that names them
    category, license: of every row, unless a column or the preset says it
    answer_kind: of every answer; by default `auto`, by the look of each
    box_format: order of a box's numbers, by default `xyxy`
    box_scale: what they count, by default `pixels`
    max_answer_chars: longer answers are faults

    The first file that can be opened says which columns and types to expect. A later file with
    other types yields one `BadRow` that names both, and then every row that can be read all the
    same; a part of a file that is damaged yields one `BadRow`.

    Raises, before the first row, `SourceError` when no file can be read and `RecipeError` when
    the columns are not those of the first file.
    """
    layout = make_layout(
        preset_layout(preset),
        columns,
        category=category,
        answer_kind=answer_kind,
        license=license,
        box_format=box_format,
        box_scale=box_scale,
        max_answer_chars=max_answer_chars,
    )
    files = find_files(path, PARQUET)
    expected = _first_schema(files)
    check_columns(layout, expected[1].names, str(expected[0]))
    return _parquet_rows(files, expected, layout, image_root)


def jsonl(
    *,
    path: str,
    columns: Mapping[str, object] | None = None,
    preset: str | None = None,
    image_root: str | None = None,
    category: str | None = None,
    answer_kind: str | None = None,
    license: str | None = None,
    box_format: str | None = None,
    box_scale: str | None = None,
    max_answer_chars: int | None = None,
) -> Iterator[Row]:
    """Rows of JSON files, one object a line or one list of objects; settings as for `parquet`.

    Raises `RecipeError`, before the first row, when a column is in none of the first 100 rows.
    """
    layout = make_layout(
        preset_layout(preset),
        columns,
        category=category,
        answer_kind=answer_kind,
        license=license,
        box_format=box_format,
        box_scale=box_scale,
        max_answer_chars=max_answer_chars,
    )
    files = find_files(path, JSON)
    first = itertools.islice(json_rows(files[0], files[0].name), _LOOK_AHEAD)
    # In the order in which they appear, for the sentence that lists them.
    names = dict.fromkeys(name for row in first if not isinstance(row, BadRow) for name in row[1])
    if names:
        check_columns(layout, list(names), str(files[0]))
    return _json_rows(files, layout, image_root)


def version_parquet(*, path: str, **_: object) -> str:
    """Changes with the files at `path`; images that they name by path are not looked at."""
    return files_version(find_files(path, PARQUET))


def version_jsonl(*, path: str, **_: object) -> str:
    """As for `parquet`."""
    return files_version(find_files(path, JSON))


def files_version(files: list[Path]) -> str:
    """A hash of names, sizes and times of change: no file is opened for it."""
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        digest.update(f"{file.absolute()}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def find_files(path: str, suffixes: tuple[str, ...]) -> list[Path]:
    """The files meant by a path, sorted by name; `SourceError` when there are none."""
    place = Path(path)
    if place.is_file():
        return [place]
    if place.is_dir():
        found = sorted(file for file in place.rglob("*") if file.suffix.lower() in suffixes)
    else:
        found = sorted(Path(name) for name in glob.glob(path, recursive=True))
    files = [file for file in found if file.is_file()]
    if not files:
        raise SourceError(
            f"{path} holds no {' or '.join(suffixes)} file; give a file, a folder or a pattern"
        )
    return files


def check_columns(layout: Layout, present: list[str], where: str) -> None:
    """Raises `RecipeError` for a column that the data do not have."""
    for name in layout.needed():
        if name not in layout.optional and not _top_column(name, present):
            raise RecipeError(
                f"{where} has no column {name!r}; it has {', '.join(present)}: "
                "map the right one under columns"
            )


def _top_column(name: str, present: list[str]) -> str | None:
    """The column to read for a name that may be a path into it; None when there is none."""
    top = name if name in present else name.partition(".")[0]
    return top if top in present else None


def read_columns(layout: Layout, present: list[str]) -> list[str]:
    """The columns of a file that the layout needs, each once."""
    tops = (_top_column(name, present) for name in layout.needed())
    return list(dict.fromkeys(top for top in tops if top is not None))


def _short_names(files: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each file with its name below the folder that all of them share."""
    shared = os.path.commonpath([file.absolute().parent for file in files])
    return ((file, file.absolute().relative_to(shared).as_posix()) for file in files)


def _first_schema(files: list[Path]) -> tuple[Path, pa.Schema]:
    for file in files:
        try:
            return file, pq.read_schema(file)
        except (pa.ArrowInvalid, OSError) as error:
            last = error
    raise SourceError(
        f"none of the {len(files)} files can be read as Parquet (the last error: "
        f"{str(last).splitlines()[0]}); "
        "write them again"
    )


def _parquet_rows(
    files: list[Path], expected: tuple[Path, pa.Schema], layout: Layout, image_root: str | None
) -> Iterator[Row]:
    seen: set[int] = set()
    for file, name in _short_names(files):
        try:
            # Pre-buffering would hold whole row groups, which may be whole files; this holds pages.
            opened = pq.ParquetFile(file, buffer_size=_PAGE_BUFFER, pre_buffer=False)
        except (pa.ArrowInvalid, OSError) as error:
            yield _unreadable(name, "the file", error)
            continue
        with opened:
            yield from _type_changes(opened.schema_arrow, expected, layout, name)
            root = Path(image_root) if image_root else file.parent
            for part in _row_groups(opened, layout, name):
                if isinstance(part, BadRow):
                    yield part
                else:
                    yield from read_rows(part, layout, origin=str(file), root=root, seen=seen)


def _row_groups(
    opened: pq.ParquetFile, layout: Layout, name: str
) -> Iterator[BadRow | list[tuple[str, Cells]]]:
    """Batches of rows with their positions; a damaged row group costs no other one."""
    wanted = read_columns(layout, opened.schema_arrow.names)
    start = 0
    for group in range(opened.num_row_groups):
        position = start
        start += opened.metadata.row_group(group).num_rows
        try:
            for batch in opened.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted):
                yield number_rows(batch, name, position)
                position += batch.num_rows
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            yield _unreadable(f"{name}#{position}", f"rows {position} to {start - 1}", error)


def number_rows(batch: pa.RecordBatch | pa.Table, name: str, start: int) -> list[tuple[str, Cells]]:
    """Rows as (position, cells), the position being the file's name and a count from `start`."""
    return [(f"{name}#{start + at}", cells) for at, cells in enumerate(batch.to_pylist())]


def _unreadable(origin_id: str, what: str, error: Exception) -> BadRow:
    reason = str(error).splitlines()[0]
    return BadRow(
        origin_id,
        "unreadable_parquet",
        f"{origin_id}: {what} cannot be read as Parquet ({reason}); write the file again.",
    )


def _type_changes(
    schema: pa.Schema, expected: tuple[Path, pa.Schema], layout: Layout, name: str
) -> Iterator[BadRow]:
    """One `BadRow` for each column that the first file has with another type."""
    first, types = expected
    for column in read_columns(layout, types.names):
        found = schema.field(column).type if column in schema.names else None
        if found is None and column in layout.optional:
            continue
        if found is not None and same_kind(types.field(column).type, found):
            continue
        yield BadRow(
            name,
            "column_types",
            f"{name}: column {column!r} is {found or 'missing'} here and "
            f"{types.field(column).type} in {first.name}, and only rows that can be read so are "
            "taken; write both files with one schema.",
        )


def _json_rows(files: list[Path], layout: Layout, image_root: str | None) -> Iterator[Row]:
    seen: set[int] = set()
    for file, name in _short_names(files):
        root = Path(image_root) if image_root else file.parent
        for row in json_rows(file, name):
            if isinstance(row, BadRow):
                yield row
            else:
                yield from read_rows([row], layout, origin=str(file), root=root, seen=seen)
