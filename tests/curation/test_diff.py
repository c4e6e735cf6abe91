"""Two small runs that share samples, and what differs between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curation.cli import app
from curation.diff import ABSENT, diff
from curation.errors import RunError
from curation.runs import Run
from schemas import Counts, Sample, Verdict, to_table
from tests.curation.rows import sample

KEPT = Verdict("", kept=True, dropped_by=None, failed=(), split="rl")
EASY = Verdict("", kept=False, dropped_by="too_easy", failed=("too_easy", "harm"), split=None)


def made(path: Path, verdicts: dict[str, Verdict], right: int, recipe: str) -> Run:
    run = Run(path)
    run.table("samples").replace([to_table(Sample, [sample(name) for name in verdicts])])
    rows = [replace(verdict, sample_id=name) for name, verdict in verdicts.items()]
    run.table("verdicts").replace([to_table(Verdict, rows)])
    counts = [Counts(name, "direct", 8, 8, right, 8 - right, 0, 0, 0, 0) for name in verdicts]
    run.table("counts").replace([to_table(Counts, counts)])
    run.recipe_path.write_text(recipe)
    return run


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Run, Run]:
    before = {"same": KEPT, "moved": KEPT, "also": KEPT, "gone": EASY}
    after = {"same": KEPT, "moved": EASY, "also": EASY, "new": KEPT}
    recipe = 'seed = 1\n[[sources]]\nname = "s"\nlimit = '
    return (
        made(tmp_path / "a", before, 2, f"{recipe}4\n"),
        made(tmp_path / "b", after, 5, f"{recipe}5\n[teach]\nn = 1\n"),
    )


def test_samples_that_moved_came_or_went_are_told_with_both_reasons(runs: tuple[Run, Run]) -> None:
    found = diff(*runs)
    assert found.moves == (
        ("kept: rl", "dropped: too_easy, harm", 2),
        ("dropped: too_easy, harm", ABSENT, 1),
        (ABSENT, "kept: rl", 1),
    )
    assert (found.changed, found.same) == (4, 1)
    assert [change.sample_id for change in found.changes] == ["also", "moved", "gone", "new"]
    moved = found.changes[1]
    assert (moved.tally_before, moved.tally_after) == ("direct 2 of 8", "direct 5 of 8")


def test_settings_that_differ_are_named_by_their_table(runs: tuple[Run, Run]) -> None:
    assert diff(*runs).settings == (("sources[s].limit", "4", "5"), ("teach.n", ABSENT, "1"))


def test_a_run_does_not_differ_from_itself(runs: tuple[Run, Run]) -> None:
    found = diff(runs[0], runs[0])
    assert (found.settings, found.moves, found.changes, found.same) == ((), (), (), 4)


def test_a_folder_without_a_run_is_told(runs: tuple[Run, Run], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run in"):
        diff(runs[0], Run(tmp_path / "nothing"))


def test_the_command_shows_so_many_samples_and_says_how_many_more(runs: tuple[Run, Run]) -> None:
    paths = [str(run.path) for run in runs]
    done = CliRunner().invoke(app, ["diff", *paths, "--rows", "1"])
    assert done.exit_code == 0, done.output
    assert "4 samples have another verdict, 1 the same" in done.stdout
    assert "  before: kept: rl (direct 2 of 8)\n" in done.stdout
    assert "  after:  dropped: too_easy, harm (direct 5 of 8)\n" in done.stdout
    assert "and 3 more: --rows 0 shows all" in done.stdout
    whole = CliRunner().invoke(app, ["diff", *paths, "--rows", "0"]).stdout
    assert "more: --rows" not in whole and "new s: What is new?" in whole
