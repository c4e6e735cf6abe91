from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from curation.errors import RunError
from curation.runs import Run
from curation.stage import (
    Count,
    PartWriter,
    Stage,
    count_owed,
    count_stage,
    failed_row,
    quarantine_writer,
    query_rows,
)
from schemas import Duplicate

STAGE = Stage(
    "measure", "duplicates", "sample_id", "SELECT 's' || range AS sample_id FROM range(5)"
)


def write(run: Run, *ids: str) -> None:
    with PartWriter(run.table("duplicates"), "measure", {}) as writer:
        writer.add(Duplicate(sample_id, "s") for sample_id in ids)


def owed(run: Run) -> set[str]:
    return {row["sample_id"] for row in query_rows(run, f"SELECT wanted.* {STAGE.owed}")}


def test_owed_is_wanted_less_written_less_quarantined(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert owed(run) == {"s0", "s1", "s2", "s3", "s4"}
    write(run, "s0", "s1")
    with quarantine_writer(run, "measure") as failures:
        failures.add([failed_row("measure", "s2", "charts", "broken", "It is broken.")])
    with quarantine_writer(run, "direct") as failures:
        failures.add([failed_row("direct", "s3", "charts", "broken", "In another stage.")])
    assert owed(run) == {"s3", "s4"}
    assert count_owed(run, STAGE) == 2


def test_a_stage_whose_rows_vanish_does_not_add_up(tmp_path: Path) -> None:
    run = Run(tmp_path)
    write(run, "s0", "s1", "s2", "s3")
    with pytest.raises(RunError, match=r"5 in, but 4 kept \+ 0 dropped \+ 0 quarantined"):
        count_stage(run, STAGE)
    write(run, "s4")
    assert count_stage(run, STAGE) == Count("measure", 5, 5)


def test_rows_of_a_stage_that_breaks_off_are_kept(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with (
        pytest.raises(ZeroDivisionError),
        PartWriter(run.table("duplicates"), "measure", {}) as writer,
    ):
        writer.add([Duplicate("s0", "s")])
        raise ZeroDivisionError
    assert owed(run) == {"s1", "s2", "s3", "s4"}


def test_rows_added_together_are_written_together(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with PartWriter(run.table("duplicates"), "measure", {}, max_rows=3) as writer:
        writer.add([Duplicate("s0", "s"), Duplicate("s1", "s")])
        assert owed(run) == {"s0", "s1", "s2", "s3", "s4"}
        writer.add([Duplicate("s2", "s"), Duplicate("s3", "s")])
        assert owed(run) == {"s4"}


def test_what_is_told_to_be_written_is_on_disk_and_told_once(tmp_path: Path) -> None:
    run, told = Run(tmp_path), list[str]()

    def written(rows: Sequence[Duplicate]) -> None:
        assert not owed(run) & {row.sample_id for row in rows}
        told.extend(row.sample_id for row in rows)

    table = run.table("duplicates")
    with PartWriter(table, "measure", {}, max_rows=2, written=written) as writer:
        writer.add([Duplicate("s0", "s")])
        assert told == []
        writer.add([Duplicate("s1", "s")])
        assert told == ["s0", "s1"]
        writer.add([Duplicate("s2", "s")])
    assert told == ["s0", "s1", "s2"]
