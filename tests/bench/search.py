"""Building a corpus and searching it: documents a second, and how long a query takes."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.search.build import build_corpus
from curation.search.corpus import open_corpus
from tests.bench.figure import Figure

LEAST_RATE = 5_000.0
MOST_MEDIAN = 10.0
MOST_P95 = 30.0
"""Milliseconds; a turn of a model takes hundreds."""

_VOCABULARY = 50_000
_DOCUMENT_WORDS, _QUERY_WORDS = 60, 8
_BATCH = 10_000


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--documents", type=int, default=100_000, help="of 60 words (100000)")
    command.add_argument("--queries", type=int, default=500, help="of 8 words (500)")


def measure(documents: int, queries: int) -> Iterator[Figure]:
    """Words as frequent as in language (Zipf); a query is made of words of one document."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        source, index = Path(folder) / "pages.parquet", Path(folder) / "index"
        write_pages(source, documents, random)
        started = time.perf_counter()
        build_corpus([str(source)], index)
        rate = documents / (time.perf_counter() - started)
        yield Figure("search: documents indexed a second", rate, LEAST_RATE)
        times = np.sort(query_times(index, queries, random))
    size = f"{documents:,} documents"
    median, p95 = (float(np.percentile(times, share)) for share in (50, 95))
    yield Figure(f"search: median query, {size}", median, MOST_MEDIAN, ceiling=True, unit="ms")
    yield Figure(f"search: p95 query, {size}", p95, MOST_P95, ceiling=True, unit="ms")


def write_pages(path: Path, documents: int, random: np.random.Generator) -> None:
    """A Parquet file of documents with a title of three words."""
    schema = pa.schema([("title", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, documents, _BATCH):
            texts = [
                " ".join(words)
                for words in draw(random, min(_BATCH, documents - start), _DOCUMENT_WORDS)
            ]
            titles = [" ".join(text.split()[:3]) for text in texts]
            writer.write_table(pa.table({"title": titles, "text": texts}, schema=schema))


def draw(random: np.random.Generator, rows: int, words: int) -> list[list[str]]:
    weights = 1 / np.arange(1, _VOCABULARY + 1)
    numbers = random.choice(_VOCABULARY, size=(rows, words), p=weights / weights.sum())
    return [[f"w{number:x}" for number in row] for row in numbers]


def query_times(index: Path, queries: int, random: np.random.Generator) -> list[float]:
    """Milliseconds of each query, one after the other."""
    corpus = open_corpus(index)
    times = []
    for words in draw(random, queries, _QUERY_WORDS):
        started = time.perf_counter()
        found = corpus.search(" ".join(words), 5, 800)
        times.append(1000 * (time.perf_counter() - started))
        assert found.results
    return times
