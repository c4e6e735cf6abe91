"""Building a corpus: one pass over its files, whatever their size, then one rename."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tantivy

from curation.errors import SourceError
from curation.search.corpus import CARD, Card, schema, with_analyzer
from curation.search.documents import Columns, Document, corpus_files, documents
from curation.search.words import spaced
from curation.sources.base import BadRow
from curation.tables import PARTIAL, write_text

_MEMORY = 128 * 2**20
"""Bytes that tantivy gathers before it writes a segment."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build read; `first_bad` says why the first row was skipped."""

    card: Card
    first_bad: str = ""


def build_corpus(
    paths: Sequence[str],
    index: Path,
    columns: Columns = Columns(),  # noqa: B008 - frozen
    *,
    tell: Callable[[int], None] = lambda documents: None,
) -> Built:
    """Build an index from files; it is there whole or not at all.

    It is built in a folder beside, `<index>.partial`, which the next build of it deletes if this
    one is killed. `tell` is called with the number of documents so far.

    Raises:
        SourceError: the index exists, a file cannot be read, or there is no document.
    """
    if index.exists():
        raise SourceError(f"{index} exists already: name another folder, or delete it first")
    files = corpus_files(paths)
    partial = index.with_name(index.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        built = _write(files, columns, partial, tell)
        write_text(partial / CARD, json.dumps(asdict(built.card)))
        os.rename(partial, index)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return built


def _write(
    files: Sequence[Path], columns: Columns, folder: Path, tell: Callable[[int], None]
) -> Built:
    writer = with_analyzer(tantivy.Index(schema(), path=str(folder))).writer(_MEMORY)
    count = skipped = 0
    first_bad = ""
    for row in documents(files, columns):
        if isinstance(row, BadRow):
            skipped, first_bad = skipped + 1, first_bad or row.message
        else:
            writer.add_document(_indexed(row))
            count += 1
            tell(count)
    if not count:
        raise SourceError(
            f"none of {', '.join(map(str, files[:3]))} holds a document: {first_bad or 'no rows'}"
        )
    writer.commit()
    writer.wait_merging_threads()
    return Built(Card(count, skipped), first_bad)


def _indexed(row: Document) -> tantivy.Document:
    document = tantivy.Document(title=spaced(row.title), text=spaced(row.text))
    stored = {"title": row.title, "url": row.url, "text": row.text}
    document.add_bytes("document", json.dumps(stored, ensure_ascii=False).encode())
    return document
