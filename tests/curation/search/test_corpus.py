"""A corpus from real files: what is found, in which order, and what dirty queries do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import SourceError
from curation.search.build import Built, build_corpus
from curation.search.corpus import CARD, Corpus, open_corpus
from curation.search.documents import PASSAGE, Columns

PAGES = [
    {
        "title": "Eiffel Tower",
        "url": "https://tower.example",
        "text": "The Eiffel Tower is a wrought-iron lattice tower in Paris. It is 330 metres tall.",
    },
    {"title": "Paris", "url": "", "text": "Paris is the capital of France; its mayor sits in it."},
    {"title": "Café", "url": "", "text": "A café serves coffee. Many cities have cafés."},
    {"title": "東京タワー", "url": "", "text": "東京タワーは東京都港区にある電波塔です。"},
    {"title": "京都", "url": "", "text": "京都は日本の古い都です。寺が多い。"},
    {"title": "กรุงเทพ", "url": "", "text": "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย"},
    {"title": "서울", "url": "", "text": "서울특별시는 대한민국의 수도이다."},
    {"title": "हिन्दी", "url": "", "text": "हिन्दी भारत की एक भाषा है"},
]


def write_parquet(path: Path, rows: Sequence[Mapping[str, object]]) -> str:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return str(path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    build_corpus([write_parquet(folder / "pages.parquet", PAGES)], folder / "index")
    return open_corpus(folder / "index")


def titles(corpus: Corpus, query: str, results: int = 3) -> list[str]:
    return [each.title for each in corpus.search(query, results, 100).results]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("How tall is the Eiffel tower?", "Eiffel Tower"),
        ("capitals FRANCE", "Paris"),
        ("cafe", "Café"),
        ("東京", "東京タワー"),
        ("日本の都", "京都"),
        ("寺", "京都"),
        ("เมืองหลวง", "กรุงเทพ"),
        ("수도", "서울"),
        ("हिन्दी", "हिन्दी"),
        ("ＥＩＦＦＥＬ", "Eiffel Tower"),
    ],
)
def test_the_right_page_comes_first_in_every_script(corpus: Corpus, query: str, title: str) -> None:
    assert titles(corpus, query)[0] == title


def test_rare_words_weigh_more_than_common_ones(corpus: Corpus) -> None:
    """`paris` is in two pages, `capital` in one; `tower` is often in one of them."""
    assert titles(corpus, "paris capital") == ["Paris", "Eiffel Tower"]
    assert titles(corpus, "paris tower")[0] == "Eiffel Tower"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        '"',
        "\"'`",
        "*",
        "!!! ???",
        "(((",
        "\0",
        "\ud800\udfff",
        "<|im_start|>",
        "\u200b\u202e",
        "\U000e0041",
    ],
)
def test_a_query_without_words_finds_nothing(corpus: Corpus, query: str) -> None:
    assert not set(titles(corpus, query)) & {"Eiffel Tower", "Paris"}


@pytest.mark.parametrize(
    "query",
    [
        'title:"Eiffel Tower" AND NOT text:[a TO z]',
        "eiffel OR) (tower -eiffel +*",
        "NEAR(eiffel, 5) ^tower~2 \\",
        "'; DROP TABLE pages; -- eiffel",
        "eiffel\0tower",
        "\ud83dEiffel\udc00",
        "eiffel " + "tower " * 2000,
        "eiffel tower " + "水" * 5000,
        "{eiffel}^1e999 tower",
    ],
)
def test_there_is_no_query_syntax(corpus: Corpus, query: str) -> None:
    assert titles(corpus, query)[0] == "Eiffel Tower"


def test_ten_kilobytes_of_different_words_are_searched_by_the_first(corpus: Corpus) -> None:
    noise = " ".join(f"word{i}" for i in range(1500))
    assert titles(corpus, f"eiffel {noise}") == ["Eiffel Tower"]
    assert titles(corpus, f"{noise} eiffel") == []


def test_a_long_page_is_cut_to_the_passage_that_matches(tmp_path: Path) -> None:
    filler = "Nothing of note happens in this sentence. " * 200
    text = f"{filler}The bridge of Arta has four arches. {filler}"
    build_corpus([write_parquet(tmp_path / "a.parquet", [{"text": text}])], tmp_path / "index")
    found = open_corpus(tmp_path / "index").search("arches of the bridge", 1, 120)
    assert "The bridge of Arta has four arches." in found.results[0].text
    assert len(found.results[0].text) <= 120
    assert found.results[0].text[0] != " "


def test_twenty_thousand_documents_of_three_kinds_are_streamed(tmp_path: Path) -> None:
    rows = [{"body": f"number{i} is even" if i % 2 else f"number{i}"} for i in range(10_000)]
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    write_parquet(source / "rows.parquet", rows)
    lines = (json.dumps({"body": f"line{i} of many", "url": f"u{i}"}) for i in range(10_000))
    (source / "deep" / "lines.jsonl").write_text("\n".join(lines))
    (source / "page.txt").write_text("A plain page about zebras.\n")
    counts: list[int] = []
    built = build_corpus([str(source)], tmp_path / "index", Columns("body"), tell=counts.append)
    assert (built.card.documents, built.card.skipped, counts[-1]) == (20_001, 0, 20_001)
    corpus = open_corpus(tmp_path / "index")
    assert [each.text for each in corpus.search("number9876", 5, 50).results] == ["number9876"]
    assert corpus.search("line77", 5, 50).results[0].url == "u77"
    zebra = corpus.search("zebra", 5, 50).results[0]
    assert (zebra.title, zebra.url) == ("page", "page.txt#0")


def test_a_text_file_becomes_passages_of_whole_lines(tmp_path: Path) -> None:
    text = "\n".join(f"line number {i} says something" for i in range(400)) + "\n" + "x" * 5000
    (tmp_path / "long.txt").write_text(text)
    built = build_corpus([str(tmp_path / "long.txt")], tmp_path / "index")
    assert built.card.documents > len(text) // PASSAGE
    found = open_corpus(tmp_path / "index").search("number 250", 1, PASSAGE)
    assert "line number 250 says something" in found.results[0].text


def test_rows_without_text_are_counted_and_told(tmp_path: Path) -> None:
    lines = ['{"text": "good"}', '{"text": ""}', "[1]", "{broken", '{"text": "bad \\ud800"}', "{}"]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    built = build_corpus([str(tmp_path / "rows.jsonl")], tmp_path / "index")
    assert (built.card.documents, built.card.skipped) == (1, 5)
    assert built.first_bad == ("rows.jsonl#1: column 'text' holds no text; fill it or drop the row")


def build_pages(folder: Path, columns: Columns = Columns()) -> Built:  # noqa: B008 - frozen
    return build_corpus([write_parquet(folder / "pages.parquet", PAGES)], folder / "index", columns)


@pytest.mark.parametrize("columns", [Columns("body"), Columns("text", "name")])
def test_a_column_that_is_not_there_is_told_before_anything_is_built(
    tmp_path: Path, columns: Columns
) -> None:
    with pytest.raises(SourceError, match=r"no column '(body|name)'; it has title, url, text"):
        build_pages(tmp_path, columns)
    assert [path.name for path in tmp_path.iterdir()] == ["pages.parquet"]


def test_an_index_is_never_built_over_another(tmp_path: Path) -> None:
    build_pages(tmp_path)
    with pytest.raises(SourceError, match="exists already"):
        build_pages(tmp_path)


def test_no_index_is_left_by_files_without_documents(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": null}\n')
    with pytest.raises(SourceError, match=r"holds a document: rows.jsonl#0: column 'text'"):
        build_corpus([str(tmp_path / "rows.jsonl")], tmp_path / "index")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        build_corpus([str(tmp_path / "broken.parquet")], tmp_path / "index")
    (tmp_path / "table.csv").write_text("a,b")
    with pytest.raises(SourceError, match="convert it"):
        build_corpus([str(tmp_path / "table.csv")], tmp_path / "index")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("index")]


def test_a_killed_build_leaves_no_index_and_hinders_no_other(tmp_path: Path) -> None:
    write_parquet(tmp_path / "pages.parquet", PAGES)
    program = (
        "import os, signal, sys; from pathlib import Path;"
        "from curation.search.build import build_corpus;"
        "build_corpus([sys.argv[1]], Path(sys.argv[2]),"
        " tell=lambda n: n == 4 and os.kill(os.getpid(), signal.SIGKILL))"
    )
    paths = [str(tmp_path / "pages.parquet"), str(tmp_path / "index")]
    killed = subprocess.run([sys.executable, "-c", program, *paths], check=False)
    assert killed.returncode == -9
    assert not (tmp_path / "index").exists()
    assert build_pages(tmp_path).card.documents == len(PAGES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "pages.parquet"]


@pytest.mark.parametrize("content", [None, "no JSON", "[]", '{"layout": 0}'])
def test_a_folder_that_is_no_index_is_told(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / CARD).write_text(content)
    with pytest.raises(SourceError, match=r"no search index .* build one"):
        open_corpus(tmp_path)


def test_many_threads_and_processes_read_one_index(corpus: Corpus) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: tuple(titles(corpus, "paris tower")), range(400)))
    assert found == {("Eiffel Tower", "Paris")}
    program = (
        "import sys; from curation.search.corpus import open_corpus;"
        "print(open_corpus(sys.argv[1]).search('capital', 1, 9).results[0].title)"
    )
    command = [sys.executable, "-c", program, str(corpus.path)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [reader.communicate()[0] for reader in readers] == ["Paris\n"] * 3
