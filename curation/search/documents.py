"""Documents for a corpus out of Parquet, JSON and text files, one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import SourceError
from curation.sources.base import BadRow
from curation.sources.json_files import json_rows
from curation.sources.tabular import find_files

PARQUET = (".parquet", ".pq")
JSON = (".jsonl", ".json", ".ndjson")
TEXT = (".txt", ".md")
PASSAGE = 2000
"""Characters of a text file that make one document, in whole lines where they are shorter."""

_BATCH_ROWS = 256
_LOOK_AHEAD = 100


@dataclass(frozen=True, slots=True)
class Document:
    """A page of the corpus."""

    text: str
    title: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what; a title or URL that is not named is taken where it is found."""

    text: str = "text"
    title: str | None = None
    url: str | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """Columns that must be there."""
        return tuple(name for name in (self.text, self.title, self.url) if name is not None)

    @property
    def read(self) -> tuple[str, str, str]:
        return self.text, self.title or "title", self.url or "url"


def corpus_files(paths: Sequence[str]) -> list[Path]:
    """The files of a corpus: each path is a file, a folder with all below it, or a pattern.

    Raises:
        SourceError: a path leads to no file, or to one of another kind.
    """
    kinds = (*PARQUET, *JSON, *TEXT)
    files = [file for path in paths for file in find_files(path, kinds)]
    for file in files:
        if file.suffix.lower() not in kinds:
            raise SourceError(f"{file} is none of {', '.join(kinds)}: convert it to one of them")
    return files


def documents(files: Sequence[Path], columns: Columns) -> Iterator[Document | BadRow]:
    """Every document; a row without text, or that is no row, is a `BadRow`.

    Raises:
        SourceError: a file cannot be read, or has no such column. Nothing less than all of it
            would tell that answers are missing.
    """
    for file in files:
        suffix = file.suffix.lower()
        if suffix in TEXT:
            yield from _passages(file)
        else:
            rows = _parquet_rows if suffix in PARQUET else _json_rows
            for position, row in rows(file, columns):
                yield row if isinstance(row, BadRow) else _document(position, row, columns)


def _document(position: str, row: Mapping[str, object], columns: Columns) -> Document | BadRow:
    text, title, url = (row.get(name) for name in columns.read)
    if not isinstance(text, str) or not text.strip():
        message = f"{position}: column {columns.text!r} holds no text; fill it or drop the row"
        return BadRow(position, "no_text", message)
    return Document(text, _text(title), _text(url))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


Numbered = tuple[str, Mapping[str, object] | BadRow]


def _parquet_rows(file: Path, columns: Columns) -> Iterator[Numbered]:
    try:
        with pq.ParquetFile(file, pre_buffer=False) as opened:
            present = opened.schema_arrow.names
            _check(file, columns, present)
            wanted = [name for name in columns.read if name in present]
            count = itertools.count()
            for batch in opened.iter_batches(_BATCH_ROWS, columns=wanted):
                for row in batch.to_pylist():
                    yield f"{file.name}#{next(count)}", row
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{file} cannot be read as Parquet ({reason}): write it again") from None


def _json_rows(file: Path, columns: Columns) -> Iterator[Numbered]:
    rows = json_rows(file, file.name)
    first = list(itertools.islice(rows, _LOOK_AHEAD))
    _check(file, columns, {name for row in first if not isinstance(row, BadRow) for name in row[1]})
    for row in itertools.chain(first, rows):
        yield (row.origin_id, row) if isinstance(row, BadRow) else row


def _check(file: Path, columns: Columns, present: Collection[str]) -> None:
    for name in columns.named:
        if present and name not in present:
            raise SourceError(
                f"{file} has no column {name!r}; it has {', '.join(present)}: name the columns"
                " with --text, --title and --url"
            )


def _passages(file: Path) -> Iterator[Document]:
    """Neighbouring lines of a text file, gathered until a passage is full."""
    gathered: list[str] = []
    length = number = 0
    with file.open(encoding="utf-8", errors="replace") as text:
        # A line is read in pieces, for some files are one line.
        while line := text.readline(PASSAGE):
            if gathered and length + len(line) > PASSAGE:
                yield from _passage(file, number, gathered)
                gathered, length, number = [], 0, number + 1
            gathered.append(line)
            length += len(line)
    yield from _passage(file, number, gathered)


def _passage(file: Path, number: int, lines: list[str]) -> Iterator[Document]:
    text = "".join(lines).strip()
    if text:
        yield Document(text, file.stem, f"{file.name}#{number}")
