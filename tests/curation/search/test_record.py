"""The record of searches: asked once, kept through a kill, read by replays and by DuckDB."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image

from curation.errors import ToolError
from curation.images import encode_png
from curation.runs import Run
from curation.search.found import Found, Result
from curation.search.record import FILE

ANSWER = Found((Result("Title", "https://a", "A passage with 東京.", "2024"), Result()))


class Asked:
    """Makes answers and counts them; waits for `go` first."""

    def __init__(self, answer: Found | Exception = ANSWER) -> None:
        self.answer, self.count = answer, 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> Found:
        self.count += 1
        await self.go.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def never() -> Callable[[], Awaitable[Found]]:
    return Asked(AssertionError("the network was asked"))


async def test_the_same_request_is_asked_once_also_by_the_next_process(tmp_path: Path) -> None:
    asked = Asked()
    record = Run(tmp_path).searches()
    first = await record.recall("search", {"query": "a", "results": 3}, asked)
    assert await record.recall("search", {"results": 3, "query": "a"}, never()) == first == ANSWER
    assert (
        await Run(tmp_path).searches().recall("search", {"query": "a", "results": 3}, never())
        == ANSWER
    )
    await record.recall("search", {"query": "a", "results": 4}, asked)
    await record.recall("image_search", {"query": "a", "results": 3}, asked)
    assert (asked.count, len(record)) == (3, 3)


async def test_two_that_ask_at_the_same_time_send_one_request(tmp_path: Path) -> None:
    asked = Asked()
    asked.go.clear()
    record = Run(tmp_path).searches()
    waiting = [
        asyncio.create_task(record.recall("search", {"query": "a"}, asked)) for _ in range(50)
    ]
    await asyncio.sleep(0)
    asked.go.set()
    assert await asyncio.gather(*waiting) == [ANSWER] * 50
    assert asked.count == 1
    assert len((tmp_path / FILE).read_text().splitlines()) == 1


async def test_many_different_requests_at_once_are_all_kept_whole(tmp_path: Path) -> None:
    record = Run(tmp_path).searches()

    async def ask(number: int) -> Found:
        async def make() -> Found:
            await asyncio.sleep(0)
            return Found((Result(text=f"{number} " * 500),))

        return await record.recall("search", {"query": str(number % 200)}, make)

    await asyncio.gather(*map(ask, range(600)))
    assert len(Run(tmp_path).searches()) == 200


async def test_one_that_gives_up_does_not_take_the_answer_from_the_other(tmp_path: Path) -> None:
    asked = Asked()
    asked.go.clear()
    record = Run(tmp_path).searches()
    one, other = (
        asyncio.create_task(record.recall("search", {"query": "a"}, asked)) for _ in range(2)
    )
    await asyncio.sleep(0)
    one.cancel()
    asked.go.set()
    assert await other == ANSWER
    with pytest.raises(asyncio.CancelledError):
        await one


async def test_a_failed_search_is_no_answer(tmp_path: Path) -> None:
    record = Run(tmp_path).searches()
    failed = Asked(ToolError("engine down"))
    for _ in range(2):
        with pytest.raises(ToolError, match="engine down"):
            await record.recall("search", {"query": "a"}, failed)
    assert failed.count == 2
    assert not (tmp_path / FILE).exists()
    assert await record.recall("search", {"query": "a"}, Asked()) == ANSWER


async def test_no_results_are_an_answer(tmp_path: Path) -> None:
    await Run(tmp_path).searches().recall("search", {"query": "a"}, Asked(Found()))
    assert await Run(tmp_path).searches().recall("search", {"query": "a"}, never()) == Found()


async def test_a_frozen_record_asks_nobody(tmp_path: Path) -> None:
    await Run(tmp_path).searches().recall("search", {"query": "a"}, Asked())
    frozen = Run(tmp_path).searches(frozen=True)
    assert await frozen.recall("search", {"query": "a"}, never()) == ANSWER
    with pytest.raises(ToolError, match="no answer to this search is recorded"):
        await frozen.recall("search", {"query": "b"}, never())


async def test_thumbnails_are_kept_once_and_come_back(tmp_path: Path) -> None:
    image = encode_png(Image.new("RGB", (40, 40), "red"))
    answer = Found((Result("a", image=image), Result("b", image=image)))
    await Run(tmp_path).searches().recall("image_search", {"id": "x"}, Asked(answer))
    again = await Run(tmp_path).searches().recall("image_search", {"id": "x"}, never())
    assert again == answer
    assert len(list((tmp_path / "images").rglob("*.png"))) == 1


@pytest.mark.parametrize("kept", [0, 1, 30, -2, -1])
async def test_half_a_line_costs_that_answer_alone(tmp_path: Path, kept: int) -> None:
    record = Run(tmp_path).searches()
    for query in "ab":
        await record.recall("search", {"query": query}, Asked())
    first, last = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / FILE).write_bytes(first + last[:kept])
    asked = Asked()
    record = Run(tmp_path).searches()
    assert await record.recall("search", {"query": "a"}, never()) == ANSWER
    for query in "bc":
        await record.recall("search", {"query": query}, asked)
    assert asked.count == (1 if kept == -1 else 2)
    record = Run(tmp_path).searches()
    for query in "abc":
        assert await record.recall("search", {"query": query}, never()) == ANSWER
    with Run(tmp_path).connect() as db:
        assert db.execute("SELECT count(*) FROM searches").fetchone() == (3,)


async def test_a_killed_process_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    program = """
import asyncio, os, signal, sys
from pathlib import Path
from curation.runs import Run
from curation.search.found import Found, Result

async def main():
    record = Run(Path(sys.argv[1])).searches()
    async def make():
        return Found((Result("t", "u", "x" * 3000),))
    for number in range(1000):
        await record.recall("search", {"query": str(number)}, make)
        print(number, flush=True)

asyncio.run(main())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(20)]
    process.kill()
    told += [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    record = Run(tmp_path).searches(frozen=True)
    for number in told:
        found = await record.recall("search", {"query": str(number)}, never())
        assert found.results[0].text == "x" * 3000
    assert len(told) <= len(record) <= len(told) + 1


async def test_two_writers_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one, other = Run(tmp_path).searches(), Run(tmp_path).searches()
    for number in range(20):
        for record in (one, other):
            await record.recall("search", {"query": f"{number}{record is one}"}, Asked())
    assert len(Run(tmp_path).searches()) == 40
    assert await one.recall("search", {"query": "7True"}, never()) == ANSWER


async def test_the_record_is_a_table_of_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with run.connect() as db:
        assert db.execute("SELECT count(*) FROM searches").fetchone() == (0,)
    await run.searches().recall("search", {"query": "東京"}, Asked())
    with run.connect() as db:
        row = db.execute(
            "SELECT tool, request->>'query', results[1].text, len(results) FROM searches"
        ).fetchone()
    assert row == ("search", "東京", "A passage with 東京.", 2)


async def test_text_that_no_file_can_hold_is_the_same_now_and_later(tmp_path: Path) -> None:
    asked = Asked(Found((Result("half a pair: \ud800"),)))
    first = await Run(tmp_path).searches().recall("search", {"query": "\udfff"}, asked)
    assert first.results[0].title == "half a pair: ?"
    assert await Run(tmp_path).searches().recall("search", {"query": "\udfff"}, never()) == first
    with Run(tmp_path).connect() as db:
        assert db.execute("SELECT results[1].title FROM searches").fetchone() == ("half a pair: ?",)


def test_a_line_says_when(tmp_path: Path) -> None:
    asyncio.run(Run(tmp_path).searches().recall("search", {"query": "a"}, Asked()))
    entry = json.loads((tmp_path / FILE).read_text())
    assert sorted(entry) == ["asked_at", "request", "results", "tool"]
    assert entry["asked_at"].endswith("+00:00")
    assert os.stat(tmp_path / FILE).st_mode & 0o777 == 0o644
