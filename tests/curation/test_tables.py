from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import StaleSettingsError
from curation.tables import Table, write_text
from schemas import Duplicate


def rows(*numbers: int) -> list[Duplicate]:
    return [Duplicate(f"s{number}", "s0") for number in numbers]


def ids(table: Table) -> list[str]:
    return [
        value.as_py()
        for part in table.parts()
        for value in pq.read_table(part.path).column("sample_id")
    ]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "duplicates", Duplicate)


def test_parts_are_read_in_the_order_they_were_written(table: Table) -> None:
    for number in range(12):
        table.append("direct", rows(number), {})
    assert ids(table) == [f"s{number}" for number in range(12)]


def test_a_part_takes_the_place_of_none_whatever_its_writer_remembers(table: Table) -> None:
    last = None
    for number in range(3):
        last = table.append("direct", rows(number), {}, after=last)
    assert last == 2
    assert table.append("direct", rows(3), {}, after=0) == 3
    assert ids(table) == ["s0", "s1", "s2", "s3"]


def test_compaction_keeps_rows_order_and_settings(table: Table) -> None:
    for number in range(9):
        table.append("direct", rows(number), {"temperature": 1.0})
    table.append("tools", rows(100), {})
    table.compact("direct")
    assert ids(table) == [*(f"s{number}" for number in range(9)), "s100"]
    assert [part.path.name for part in table.parts("direct")] == ["direct-00000-00008.parquet"]
    table.append("direct", rows(9), {"temperature": 1.0})
    assert ids(table)[:10] == [f"s{number}" for number in range(10)]
    with pytest.raises(StaleSettingsError):
        table.check_settings("direct", {"temperature": 0.5})


def test_a_kill_between_compaction_and_deletion_doubles_nothing(table: Table) -> None:
    for number in range(9):
        table.append("direct", rows(number), {})
    left = {part.path: part.path.read_bytes() for part in table.parts()}
    table.compact("direct")
    for path, content in left.items():
        path.write_bytes(content)
    assert ids(table) == [f"s{number}" for number in range(9)]
    table.sweep()
    assert len(list(table.folder.iterdir())) == 1


def test_half_written_files_are_no_parts_and_are_swept(table: Table) -> None:
    table.append("direct", rows(1), {})
    (table.folder / "direct-00001.parquet.partial").write_bytes(b"PAR1")
    assert ids(table) == ["s1"]
    table.sweep()
    assert [path.name for path in table.folder.iterdir()] == ["direct-00000.parquet"]


def test_replacing_leaves_only_the_new_rows(table: Table) -> None:
    schema = pa.schema([("sample_id", pa.string()), ("duplicate_of", pa.string())])
    for number in (1, 2):
        batch = pa.RecordBatch.from_pylist(
            [{"sample_id": f"s{number}", "duplicate_of": "s0"}], schema
        )
        table.replace([batch])
    assert ids(table) == ["s2"]


def test_a_replacement_that_fails_leaves_the_old_rows(table: Table) -> None:
    table.replace([pa.Table.from_pylist([{"sample_id": "s1", "duplicate_of": "s0"}])])
    null = pa.Table.from_pylist(
        [{"sample_id": "s2", "duplicate_of": None}],
        pa.schema([("sample_id", pa.string()), ("duplicate_of", pa.string())]),
    )
    with pytest.raises(ValueError, match="null"):
        table.replace([null])
    assert ids(table) == ["s1"]


def test_other_settings_are_refused_and_both_are_named(table: Table) -> None:
    table.append("direct", rows(1), {"temperature": 1.0, "model": "a"})
    table.append("tools", rows(2), {"temperature": 0.0})
    table.check_settings("direct", {"temperature": 1.0, "model": "a"})
    with pytest.raises(StaleSettingsError, match=r"temperature was 1\.0 and is now 0\.5") as told:
        table.check_settings("direct", {"temperature": 0.5, "model": "a"})
    assert "'direct'" in str(told.value) and "model" not in str(told.value).partition("(")[2]


def test_a_file_that_says_the_same_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "text"
    write_text(path, "one")
    before = path.stat()
    write_text(path, "one")
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_ino == before.st_ino
    write_text(path, "two")
    assert path.read_text() == "two" and list(tmp_path.iterdir()) == [path]
