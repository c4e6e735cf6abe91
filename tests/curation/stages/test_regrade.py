"""Grading again: what changes, what follows from it, and what a kill leaves behind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from curation.errors import RecipeError, RunError
from curation.graders.assigned import Graders
from curation.job import Job
from curation.pipeline import grade_again, run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from curation.stages.grade import grade
from curation.stages.regrade import regrade
from tests.curation.scene import recipe_text
from tests.curation.scene import reply as scene_reply
from tests.curation.stages.graded import (
    attempt,
    job_of,
    judge_table,
    meaning,
    recipe_of,
    scores,
)
from tests.scripted_server import Fault, ScriptedServer


def said(job: Job) -> str:
    return "\n".join(job.reporter.said)  # type: ignore[attr-defined]


def test_another_grader_for_all_replaces_every_score(tmp_path: Path) -> None:
    with job_of(tmp_path, recipe_of()) as job:
        attempt(job.run, ["carr", "dog", "no car", "cat"])
        grade(job)
        graders = job.recipe.graders
        job.recipe = dataclasses.replace(job.recipe, graders=Graders({}, "anls"))
        regrade(job)
        assert scores(job.run) == {
            "direct-0": (0.75, "anls"),
            "direct-1": (1.0, "anls"),
            "direct-2": (0.0, "anls"),
            "direct-3": (0.0, "anls"),
        }
        assert "changed: 2 of 4 scores (1 unscored -> wrong, 1 wrong -> right)" in said(job)
        job.recipe = dataclasses.replace(job.recipe, graders=graders)
        regrade(job)
        assert "changed: 2 of 4 scores (1 right -> wrong, 1 wrong -> unscored)" in said(job)
        assert {grader for _, grader in scores(job.run).values()} == {"text"}
        assert len(job.run.table("scores").parts()) == 1
        assert grade(job).kept == 4


def test_later_rollouts_are_added_to_scores_that_were_given_anew(tmp_path: Path) -> None:
    with job_of(tmp_path, recipe_of()) as job:
        attempt(job.run, ["car", "dog"])
        grade(job)
        regrade(job)
        attempt(job.run, ["car", "cat"], arm="tools")
        grade(job)
        assert [value for value, _ in scores(job.run).values()] == [1, 1, 1, 0]


def test_what_a_judge_said_before_a_kill_is_not_paid_again(tmp_path: Path) -> None:
    words = ["no car", "no dog", "a blue car", "a blue dog"]
    with ScriptedServer(meaning) as server:
        with job_of(tmp_path, recipe_of()) as job:
            attempt(job.run, words)
            grade(job)
        with job_of(tmp_path, recipe_of(judge_table(server.url))) as job:
            server.reply = lambda request: (
                Fault(status=400) if "blue" in str(request["messages"]) else meaning(request)
            )
            job.recipe = parse_recipe(
                recipe_of(judge_table(server.url)).replace(
                    "seed = 7", "seed = 7\nmax_failed_share = 0.1"
                ),
                "r",
            )
            with pytest.raises(RunError, match="'regrade' was given up"):
                regrade(job)
            assert {grader for _, grader in scores(job.run).values()} == {"text"}
            server.reply = meaning
            server.requests.clear()
            regrade(job)
            assert all("blue" in str(request["messages"]) for request in server.requests)
            assert {grader for _, grader in scores(job.run).values()} == {"judge"}
            assert job.run.value("SELECT count(*) FROM regrades") == 0


def test_leftovers_of_other_settings_are_forgotten(tmp_path: Path) -> None:
    with job_of(tmp_path, recipe_of()) as job:
        attempt(job.run, ["car", "dog"])
        grade(job)
        wrong = [row for row in job.run.table("scores").parts()]
        assert wrong
        with job.run.connect() as db:
            table = db.sql("SELECT * REPLACE (0.0 AS value) FROM scores").to_arrow_table()
        job.run.table("regrades").supersede("regrade", [table], {"graders": "anls"})
        regrade(job)
        assert [value for value, _ in scores(job.run).values()] == [1, 1]


def test_what_could_not_be_judged_is_owed_to_the_next_run(tmp_path: Path) -> None:
    with (
        ScriptedServer(lambda request: Fault(status=400)) as server,
        job_of(tmp_path, recipe_of(judge_table(server.url))) as job,
    ):
        attempt(job.run, ["car", "dog", "no car", "dog"])
        grade(job)
        assert job.run.value("SELECT count(*) FROM quarantine") == 1
        regrade(job)
        assert len(scores(job.run)) == 3
        assert job.run.value("SELECT count(*) FROM quarantine") == 0
        server.reply = meaning
        assert grade(job).kept == 4


def test_a_run_without_rollouts_has_nothing_to_grade(tmp_path: Path) -> None:
    with job_of(tmp_path, recipe_of()) as job, pytest.raises(RunError, match="holds no rollouts"):
        regrade(job)


def test_verdicts_checks_and_trajectories_follow_without_a_model_call(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with ScriptedServer(scene_reply) as server:
        recipe = parse_recipe(recipe_text(server.url, 9), "scene")
        run_recipe(recipe, run, Silent())
        before = _rows(run, "SELECT sample_id, split, dropped_by FROM verdicts ORDER BY 1")
        checks = run.value("SELECT count(*) FROM verifications")
        asked = server.count

        grade_again(run, (reporter := _Said()), only="date")
        assert run.value("SELECT count(*) FROM scores WHERE value IS NOT NULL") == 0
        assert reporter.line("verdicts").startswith("changed: 9 of 9 verdicts")
        assert run.value("SELECT count(*) FROM verdicts WHERE kept") == 0
        assert run.value("SELECT count(*) FROM verifications") == 0

        grade_again(run, (reporter := _Said()))
        assert _rows(run, "SELECT sample_id, split, dropped_by FROM verdicts ORDER BY 1") == before
        assert "unscored -> right" in reporter.line("scores")
        assert server.count == asked

        run_recipe(recipe, run, Silent())
        assert run.value("SELECT count(*) FROM verifications") == checks > 0
        assert server.count == asked


def test_an_unknown_grader_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(recipe_of())
    with pytest.raises(RecipeError, match="--grader: there is no grader 'anl'"):
        grade_again(Run(tmp_path), Silent(), only="anl")


class _Said(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def line(self, word: str) -> str:
        (found,) = [line for line in self.lines if line.startswith("changed") and word in line]
        return found


def _rows(run: Run, sql: str) -> list[tuple[str | None, ...]]:
    with run.connect() as db:
        return db.execute(sql).fetchall()
