"""Figures that tell whether the tools of a run mattered."""

from __future__ import annotations

from pathlib import Path

from curation.estimates.benefit import benefit_of
from curation.evidence import evidence
from curation.runs import Run
from schemas import Support, Trajectory
from tests.curation.counted import tallies_row


def test_answers_without_observations_are_counted_for_all_and_for_what_was_kept(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    supports = [
        Support("one", "a", 4, 1, 4, 0),
        Support("two", "b", 4, 3, 0, 0),
        Support("three", "c", 0, 0, 4, 4),
    ]
    run.table("supports").append("support", supports, {})
    kept = Trajectory("t", "a", "one", "deepeyes", (), (), 1, 5)
    run.table("trajectories").append("all", [kept], {})
    benefits = [
        benefit_of(tallies_row("a", {"direct": (2, 6, 0), "tools": (6, 2, 0)})),
        benefit_of(tallies_row("b", {"direct": (4, 4, 0), "tools": (4, 4, 0)})),
    ]
    run.table("benefits").append("all", benefits, {})
    told = dict(evidence(run))
    every = "all rollouts that were asked again"
    assert told[f"{every}: answers right with observations blank"] == "4 of 8 (50.0%)"
    assert told[f"{every}: mostly right with observations blank"] == "1 of 2 (50.0%)"
    assert told[f"{every}: answers right with observations of another sample"] == "4 of 8 (50.0%)"
    assert told["trajectories: answers right with observations blank"] == "1 of 4 (25.0%)"
    assert told["trajectories: mostly right with observations of another sample"] == "0 of 1 (0.0%)"
    assert told["pass rate with tools less that without, mean"] == "+25.0% over 2 samples"
    assert not any("placebo" in figure for figure in told)


def test_a_run_that_measured_none_has_none(tmp_path: Path) -> None:
    assert evidence(Run(tmp_path)) == []
