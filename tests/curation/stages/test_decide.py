"""Presets on counts: what the papers keep, and that nothing unscored is ever kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from curation.job import Job
from curation.recipes.file import parse_recipe
from curation.recipes.presets import DeepEyes, DeepEyesV2, Preset
from curation.recipes.recipe import Arm, Arms
from curation.runs import Run
from curation.stages.count import benefit
from curation.stages.decide import decide
from curation.stages.ingest import ingest
from curation.stages.screen import find_duplicates, screen
from schemas import Measure, Rollout, Score
from tests.curation.scene import recipe_text

ARMS = Arms(
    direct=Arm(n=8), oracle_crop=Arm(n=4), tools=Arm(n=4, dialect="deepeyes-v2", scope="all")
)
R, W, U = 1.0, 0.0, None
"""Right, wrong, unscored."""

Scores = Sequence[float | None]


def verdicts(path: Path, preset: Preset, arm: str, cases: Sequence[tuple[Scores, Scores]]) -> Run:
    """A run with one sample a case, in order of origin: scores of direct attempts and of `arm`."""
    recipe = parse_recipe(recipe_text("http://localhost:1/v1", limit=len(cases)), "scene")
    recipe = dataclasses.replace(recipe, preset=preset, arms=ARMS, filters=())
    run = Run(path)
    with Job.open(recipe, run) as job:
        ingest(job)
        with run.connect() as db:
            ids = dict(db.execute("SELECT origin_id, sample_id FROM samples").fetchall())
        samples = [ids[f"sum-{number}"] for number in range(len(cases))]
        measures = [Measure(sample, 1, 64, 4096, 1.0, 1.0, 9, 1, 0, 0.1) for sample in samples]
        run.table("measures").append("measure", measures, {})
        for sample, (direct, other) in zip(samples, cases, strict=True):
            attempt(run, sample, "direct", direct)
            attempt(run, sample, arm, other)
        find_duplicates(job)
        screen(job)
        benefit(job)
        decide(job)
    return run


def attempt(run: Run, sample: str, arm: str, scores: Scores) -> None:
    ids = [f"{sample}/{arm}/{number}" for number in range(len(scores))]
    rollouts = [
        Rollout(rollout_id, sample, arm, i, "m", "d", 0, (), "x", "answered", None, 0.0)
        for i, rollout_id in enumerate(ids)
    ]
    rows = [
        Score(rollout_id, sample, "number", value, None, "")
        for rollout_id, value in zip(ids, scores, strict=True)
    ]
    run.table("rollouts").append(arm, rollouts, {})
    run.table("scores").append("grade", rows, {})


def outcomes(run: Run) -> list[str]:
    """`rl`, `cold_start` or the rule that dropped it, for every sample in order."""
    with run.connect() as db:
        rows = db.execute("""
            SELECT coalesce(split, dropped_by) FROM verdicts JOIN samples USING (sample_id)
            ORDER BY origin_id[5:]::INTEGER
        """).fetchall()
    return [outcome for (outcome,) in rows]


def test_deepeyes_v2_keeps_what_is_rarely_right_and_splits_by_tools(tmp_path: Path) -> None:
    cases: list[tuple[Scores, Scores, str]] = [
        ([W] * 8, [R, W, W, W], "rl"),
        ([R, R] + [W] * 6, [W, W, W, R], "rl"),
        ([R, R] + [W] * 6, [W] * 4, "cold_start"),
        ([R, R, R] + [W] * 5, [R] * 4, "too_easy"),
        ([R, R, R] + [U] * 5, [R] * 4, "too_easy"),
        ([R, R, U] + [W] * 5, [R] * 4, "too_easy:unscored"),
        ([R, U] + [W] * 6, [R] * 4, "rl"),
        ([U] * 8, [R] * 4, "too_easy:unscored"),
        ([W] * 7, [R] * 4, "rl"),
        ([R, R] + [W] * 5, [R] * 4, "too_easy:unscored"),
        ([W] * 8, [U] * 4, "tools:unscored"),
        ([W] * 8, [U, U, U, W], "cold_start"),
        ([W] * 8, [], "tools:unscored"),
        ([W] * 8 + [R] * 8, [R] * 4, "rl"),
    ]
    run = verdicts(tmp_path, DeepEyesV2(), "tools", [case[:2] for case in cases])
    assert outcomes(run) == [expected for *_, expected in cases]


def test_deepeyes_keeps_what_is_sometimes_right_and_solved_on_the_crop(tmp_path: Path) -> None:
    cases: list[tuple[Scores, Scores, str]] = [
        ([R] + [W] * 7, [R, W, W, W], "rl"),
        ([R] * 7 + [W], [R] * 4, "rl"),
        ([W] * 8, [R] * 4, "too_hard"),
        ([R] * 8, [R] * 4, "too_easy"),
        ([R] + [W] * 7, [W] * 4, "unsolved_on_crop"),
        ([R] + [W] * 7, [W, W, W, U], "unsolved_on_crop:unscored"),
        ([R] + [W] * 7, [], "unsolved_on_crop:unscored"),
        ([R, W] + [U] * 6, [R] * 4, "rl"),
        ([W] * 7 + [U], [R] * 4, "too_hard:unscored"),
        ([R] * 7 + [U], [R] * 4, "too_easy:unscored"),
    ]
    run = verdicts(tmp_path, DeepEyes(), "oracle_crop", [case[:2] for case in cases])
    assert outcomes(run) == [expected for *_, expected in cases]


def test_the_crop_rule_is_for_fine_grained_categories(tmp_path: Path) -> None:
    preset = DeepEyes(fine_grained=("document",))  # the samples' category is perception
    run = verdicts(tmp_path, preset, "oracle_crop", [([R] + [W] * 7, [W] * 4)])
    assert outcomes(run) == ["rl"]


def test_benefit_is_a_difference_of_known_rates(tmp_path: Path) -> None:
    run = verdicts(tmp_path, DeepEyesV2(), "tools", [([R, W, W, W, U, U, U, U], [R, W, U, U])])
    with run.connect() as db:
        row = db.sql("FROM benefits").to_arrow_table().to_pylist()[0]
    assert (row["direct_attempts"], row["direct_right"], row["direct_unscored"]) == (8, 1, 4)
    assert (row["direct_pass_rate"], row["tools_pass_rate"]) == (0.25, 0.5)
    assert row["tool_benefit"] == 0.25
    assert row["direct_low"] < 0.25 < row["direct_high"]
    assert row["tool_benefit_low"] < 0 < row["tool_benefit_high"]
    assert (row["tool_gain"], row["tool_harm"]) == (0.375, 0.125)
    assert row["placebo_margin"] is None and not row["confirmed"]
