from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from curation.errors import RunError
from curation.manifest import Manifest, StageEntry, write_manifest
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
    remake,
)
from schemas import Duplicate, Rollout

STAGE = Stage(
    "measure", "duplicates", "sample_id", "SELECT 's' || range AS sample_id FROM range(5)"
)

ROLLOUT = Rollout("r", "s", "direct", 0, "m", "direct", 0, (), "1", "answered", None, 0.0)


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


def test_a_stage_that_was_counted_is_counted_again_only_when_its_rows_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path)
    write(run, "s0", "s1", "s2", "s3", "s4")
    count = count_stage(run, STAGE)
    entry = StageEntry(5, 5, 0, 0, seconds=1.0, made_from=count.made_from)
    write_manifest(run, Manifest(stages={STAGE.name: entry}))
    with monkeypatch.context() as patched:
        patched.setattr(Run, "connect", None)
        assert count_stage(run, STAGE) == count and count_owed(run, STAGE) == 0
    run.table(STAGE.table).clear()
    assert count_owed(run, STAGE) == 5


def test_what_other_arms_write_changes_no_count_of_an_arm(tmp_path: Path) -> None:
    run = Run(tmp_path)
    wanted = "SELECT 's' AS sample_id, 'r' || range AS rollout_id FROM range(2)"
    direct = Stage("direct", "rollouts", "rollout_id", wanted, arm="direct")
    attempts = [replace(ROLLOUT, rollout_id=f"r{number}") for number in range(2)]
    run.table("rollouts").append("direct", attempts[:1], {})
    assert count_owed(run, direct) == 1
    run.table("rollouts").append("direct", attempts[1:], {})
    mark = count_stage(run, direct).made_from
    run.table("rollouts").append("tools", [replace(ROLLOUT, rollout_id="r2", arm="tools")], {})
    assert count_stage(run, direct).made_from == mark
    run.table("rollouts").append("direct_other", [replace(ROLLOUT, rollout_id="r3")], {})
    assert count_stage(run, direct).made_from != mark


def test_a_table_is_made_again_only_from_other_rows_or_by_other_rules(tmp_path: Path) -> None:
    sql = """SELECT sample_id, true AS kept, NULL::VARCHAR AS dropped_by, []::VARCHAR[] AS failed,
                    NULL::VARCHAR AS split FROM duplicates"""
    run = Run(tmp_path)
    made: list[int] = []

    def work(rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        made.append(1)
        yield from rows

    write(run, "s0")
    for by in ("rule", "rule", "other rule"):
        remake(run, "screens", sql, work, by=by)
    assert len(made) == 2
    write(run, "s1")
    remake(run, "screens", sql, work, by="other rule")
    assert len(made) == 3
    assert run.value("SELECT count(*) FROM screens") == 2
