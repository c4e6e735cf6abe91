"""A local corpus: a full-text index on disk with BM25 ranking, searched without a network.

The index is tantivy's. SQLite's FTS5, which needs no package, scores every document that holds
any word of a query: on 100,000 documents that took 170 times as long.

Any number of processes read one index; it is built once (`build`) and never changed. Its folder
must be writable, since tantivy locks a file in it for a moment when it opens one.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path

import tantivy

from curation.errors import SourceError
from curation.search.found import Found, Result
from curation.search.passage import passage
from curation.search.words import analyzer, query_words

MOST_WORDS = 64
"""Different words of a query that are looked for."""
CARD = "toolsight.json"
"""File in an index that says what made it."""
LAYOUT = 1
"""Raised when an index that was built before can no longer be read."""

_ANALYZER = "words"


@dataclass(frozen=True, slots=True)
class Card:
    """What an index holds."""

    documents: int
    skipped: int
    """Rows that gave no document."""
    layout: int = LAYOUT


@dataclass(frozen=True, slots=True)
class Corpus:
    """An opened index."""

    path: Path
    card: Card
    index: tantivy.Index = field(repr=False)

    def search(self, query: str, results: int, characters: int) -> Found:
        """The best documents for a query, each cut to the passage that matches it most.

        Every word of the query counts for itself; there is no query syntax. A query without a
        word finds nothing.
        """
        words = query_words(query, MOST_WORDS)
        searcher = self.index.searcher()
        hits = searcher.search(_any_of(self.index.schema, words), results, count=False).hits
        return Found(tuple(_result(searcher.doc(at), words, characters) for _, at in hits))


def schema() -> tantivy.Schema:
    """Words of title and text to be searched, and the document itself as JSON."""
    fields = tantivy.SchemaBuilder()
    for name in ("title", "text"):
        fields.add_text_field(name, tokenizer_name=_ANALYZER, index_option="freq")
    return fields.add_bytes_field("document", stored=True).build()


def with_analyzer(index: tantivy.Index) -> tantivy.Index:
    """The index, knowing how to split text: indexes store only the analyzer's name."""
    index.register_tokenizer(_ANALYZER, analyzer())
    return index


def open_corpus(path: str | Path) -> Corpus:
    """Open an index, or the one that was opened before.

    Raises:
        SourceError: there is no index, or none that can be read.
    """
    return _open(Path(path).absolute())


@functools.lru_cache(maxsize=32)
def _open(path: Path) -> Corpus:
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
        if card["layout"] != LAYOUT:
            raise ValueError(f"its layout is {card['layout']}, not {LAYOUT}")
        index = tantivy.Index.open(str(path))
        index.config_reader("manual")  # nothing changes: no thread need watch the folder
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path} holds no search index that can be read ({error}): build one with"
            " `toolsight search build`"
        ) from None
    return Corpus(path, Card(**card), with_analyzer(index))


def _any_of(schema: tantivy.Schema, words: list[str]) -> tantivy.Query:
    terms = [
        (tantivy.Occur.Should, tantivy.Query.term_query(schema, name, word, "freq"))
        for word in words
        for name in ("title", "text")
    ]
    return tantivy.Query.boolean_query(terms)


def _result(document: tantivy.Document, words: list[str], characters: int) -> Result:
    fields = json.loads(document.to_dict()["document"][0])
    return Result(fields["title"], fields["url"], passage(fields["text"], words, characters))
