from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import RunError
from curation.runs import RECORDS, Run
from schemas import Duplicate, arrow_schema


def test_tables_without_rows_are_empty_views_of_their_types(tmp_path: Path) -> None:
    with Run(tmp_path).connect() as db:
        for name, record in RECORDS.items():
            table = db.sql(f"FROM {name}").to_arrow_table()
            assert table.num_rows == 0
            assert table.schema.names == arrow_schema(record).names
        assert db.execute("SELECT count(turns[1].call.stdout) FROM rollouts").fetchone() == (0,)


def test_views_show_what_was_written(tmp_path: Path) -> None:
    run = Run(tmp_path / "it's a run")
    run.table("duplicates").append("direct", [Duplicate("b", "a")], {})
    assert run.value("SELECT duplicate_of FROM duplicates") == "a"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run in"), Run(tmp_path / "none").connect():
        pass


@pytest.mark.parametrize(
    ("part", "mend"),
    [("all-00000", "delete that folder and run again"), ("tools-00000", "use another run folder")],
)
def test_rows_of_another_version_are_refused(tmp_path: Path, part: str, mend: str) -> None:
    path = tmp_path / "duplicates" / f"{part}.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"sample_id": ["a"], "same_as": ["b"]}), path)
    with (
        pytest.raises(RunError, match=f"another version.*duplicate_of.*same_as.*: {mend}"),
        Run(tmp_path).connect(),
    ):
        pass


_HOLD = """
import sys
from pathlib import Path
from curation.runs import Run
with Run(Path(sys.argv[1])).writing():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_writer_a_folder_and_the_kernel_frees_the_lock_of_a_killed_one(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match="another process is writing"), run.writing():
            pass
        other.kill()
        other.wait()
        with run.writing():
            assert run.value("SELECT count(*) FROM samples") == 0


def test_what_a_kill_left_is_swept_when_writing_starts(tmp_path: Path) -> None:
    run = Run(tmp_path)
    leftovers = [
        tmp_path / "samples/ingest-00000.parquet.partial",
        tmp_path / "images/ab/x.partial",
    ]
    for path in leftovers:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
    with run.writing():
        assert not any(path.exists() for path in leftovers)
