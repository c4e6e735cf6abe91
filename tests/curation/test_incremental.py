"""A source that grows: the next run of the same folder pays for the new rows alone."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from tests.curation.scene import reply, small_recipe, sum_sample
from tests.scripted_server import ScriptedServer, text_of


def write_rows(path: Path, numbers: range) -> None:
    samples = [sum_sample(number) for number in numbers]
    columns = {
        "question": [sample.question for sample in samples],
        "answer": [sample.answers[0] for sample in samples],
        "image": [sample.images[0] for sample in samples],
    }
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path)


def kept_and_exported(run: Run) -> tuple[int, int]:
    kept = run.value("SELECT count(*) FROM verdicts WHERE split = 'rl'")
    shards = run.export_path("deepeyes").glob("*.parquet")
    return kept, sum(pq.read_metadata(shard).num_rows for shard in shards)


def test_files_added_between_two_runs_cost_what_they_hold(tmp_path: Path) -> None:
    data, run = tmp_path / "data", Run(tmp_path / "run")
    write_rows(data / "b.parquet", range(9))
    with ScriptedServer(reply) as server:
        text = small_recipe(
            f'url = "{server.url}"\nmax_tokens = 64',
            source=f'use = "parquet"\npath = "{data}"\nlicense = "CC0-1.0"',
        )
        text += '[[exports]]\ntarget = "deepeyes"\n'

        def go() -> list[str]:
            """Questions that the run asked the model about."""
            before = server.count
            run_recipe(parse_recipe(text, "grows"), run, Silent())
            return [text_of(request) for request in server.requests[before:]]

        go()
        first = kept_and_exported(run)
        # A file before the one that was there, one with a row that is known, and one below.
        write_rows(data / "a.parquet", range(20, 29))
        write_rows(data / "c.parquet", range(8, 10))
        write_rows(data / "later" / "d.parquet", range(30, 39))
        asked = go()
        new = {str(number) for number in (*range(20, 29), 9, *range(30, 39))}
        assert {text.partition("What is ")[2].split()[0] for text in asked} == new
        assert run.value("SELECT count(*) FROM samples") == 28
        assert run.value("SELECT list(error) FROM quarantine") == ["duplicate_row"]
        again = kept_and_exported(run)
        assert again[0] == again[1] > first[0] == first[1] > 0

        assert go() == []
        # A file that is gone takes nothing away.
        (data / "a.parquet").unlink()
        assert go() == []
        assert kept_and_exported(run) == again
