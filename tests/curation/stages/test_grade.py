"""The grade stage: who is asked about which answer, and what is written when nobody answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.errors import RecipeError, RunError, ServerError, StaleSettingsError
from curation.estimates.rules import Tally
from curation.graders.assigned import Graders
from curation.recipes.file import parse_recipe, resolved
from curation.rollouts.conversation import Unit
from curation.stages.draw import Owed, added
from curation.stages.grade import grade
from schemas import Rollout
from tests.curation.stages.graded import (
    attempt,
    job_of,
    judge_table,
    meaning,
    recipe_of,
    scores,
)
from tests.scripted_server import Fault, ScriptedServer

PREDICTIONS = ["car", "a dog", "the automobile car", "not a dog", "bus", "cat", None, " "]
TO_JUDGE = '[graders]\ntext = "judge"\n'


def test_without_a_judge_rules_decide_and_abstain(tmp_path: Path) -> None:
    with job_of(tmp_path, recipe_of()) as job:
        attempt(job.run, PREDICTIONS)
        assert grade(job).kept == 8
        found = [value for value, _ in scores(job.run).values()]
    assert found == [1, 1, None, None, 0, 0, None, None]


def test_the_judge_is_asked_where_rules_abstain_and_nowhere_else(tmp_path: Path) -> None:
    with (
        ScriptedServer(meaning) as server,
        job_of(tmp_path, recipe_of(judge_table(server.url))) as job,
    ):
        attempt(job.run, PREDICTIONS)
        grade(job)
        found = scores(job.run)
        asked = {request["messages"][-1]["content"] for request in server.requests}
        row = job.run.value("SELECT explanation FROM scores WHERE rollout_id = 'direct-2'")
        agreement = job.run.value("SELECT sum(agreement) FROM scores WHERE judgements = 3")
    assert list(found.values()) == [
        (1, "text"), (1, "text"), (1, "judge"), (0, "judge"),
        (0, "text"), (0, "text"), (None, "text"), (None, "text"),
    ]  # fmt: skip
    assert all("automobile car" in case or "not a dog" in case for case in asked)
    assert server.requests[0]["response_format"]["type"] == "json_schema"
    assert row == "judge: 3 of 3 right: so"
    assert agreement == 2.0


def test_a_kind_can_go_to_the_judge_and_equal_answers_are_judged_once(tmp_path: Path) -> None:
    with ScriptedServer(meaning) as server:
        text = recipe_of(judge_table(server.url, "structured = false"), TO_JUDGE)
        with job_of(tmp_path, text) as job:
            attempt(job.run, ["automobile", "dog"] * 8)
            grade(job)
            assert set(scores(job.run).values()) == {(1, "judge"), (1, "text")}
        assert server.count == 3  # two orders, and the control
        assert "response_format" not in server.requests[0]


def test_scores_are_incremental(tmp_path: Path) -> None:
    with (
        ScriptedServer(meaning) as server,
        job_of(tmp_path, recipe_of(judge_table(server.url))) as job,
    ):
        attempt(job.run, ["no car", "dog"])
        grade(job)
        asked = server.count
        grade(job)
        assert server.count == asked
        attempt(job.run, ["no car", "no dog"], arm="tools")
        assert grade(job).kept == 4
        assert server.count == 2 * asked + 2


def test_requests_in_flight_are_bounded(tmp_path: Path) -> None:
    with (
        ScriptedServer(meaning) as server,
        job_of(tmp_path, recipe_of(judge_table(server.url))) as job,
    ):
        attempt(job.run, [f"car {number}" for number in range(200)])
        grade(job)
        assert 1 < server.most_in_flight <= 4


def test_another_judge_or_grader_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with ScriptedServer(meaning) as server:
        with job_of(tmp_path, recipe_of(judge_table(server.url))) as job:
            attempt(job.run, ["no car", "dog"])
            grade(job)
        text = recipe_of(judge_table(server.url, "attempts = 5"))
        with (
            job_of(tmp_path, text) as job,
            pytest.raises(
                StaleSettingsError, match=r"attempts was 3 and is now 5.*toolsight grade"
            ),
        ):
            grade(job)


def test_a_judge_that_fails_leaves_rows_unscored_with_their_reason(tmp_path: Path) -> None:
    with (
        ScriptedServer(lambda request: Fault(status=400, message="too hot")) as server,
        job_of(tmp_path, recipe_of(judge_table(server.url))) as job,
    ):
        attempt(job.run, ["car", "dog", "no car", "dog"])
        count = grade(job)
        assert (count.rows_in, count.kept, count.quarantined) == (4, 3, 1)
        assert "direct-2" not in scores(job.run)
        message = job.run.value("SELECT message FROM quarantine WHERE key = 'direct-2'")
        assert "the judge could not be asked" in message and "too hot" in message
        assert "--retry-quarantined" in message
        job.run.retry_quarantined()
        server.reply = meaning
        assert grade(job).kept == 4


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        (400, RunError, "'grade' was given up: 2 of 3"),
        (401, ServerError, "refuses every request with 401"),
    ],
)
def test_a_judge_that_fails_stops_the_stage_and_its_rows_stay_owed(
    tmp_path: Path, status: int, error: type[Exception], sentence: str
) -> None:
    with (
        ScriptedServer(lambda request: Fault(status=status)) as server,
        job_of(tmp_path, recipe_of(judge_table(server.url))) as job,
    ):
        attempt(job.run, ["no car", "no dog", "dog"])
        with pytest.raises(error, match=sentence):
            grade(job)
        assert job.run.value("SELECT count(*) FROM quarantine") == 0
        server.reply = meaning
        assert grade(job).kept == 3


def test_a_judge_that_is_down_is_told_before_anything_is_graded(tmp_path: Path) -> None:
    with job_of(tmp_path, recipe_of(judge_table("http://127.0.0.1:9/v1"))) as job:
        attempt(job.run, ["car", "dog"])
        with pytest.raises(ServerError, match="No model server answers"):
            grade(job)
        assert scores(job.run) == {}


@pytest.mark.parametrize(
    ("judge", "graders", "sentence"),
    [
        ("", '[graders]\ntext = "judge"', r"graders\.text: nobody judges: add a \[judge\]"),
        (
            "",
            '[graders]\ntext = "anl"',
            r"graders\.text: there is no grader 'anl': did you mean anls",
        ),
        ("", '[graders]\ntexts = "anls"', "no answer kind 'texts': did you mean text"),
        ("attempts = 0", "", "attempts and max_chars must be at least 1"),
        ("agreement = 0.5", "", "agreement is 0.5: write a share above 0.5"),
        ("temperature = 0", "", "at temperature 0 all are the same"),
        ("atempts = 3", "", "no key 'atempts': did you mean attempts"),
    ],
)
def test_mistakes_about_graders_are_found_in_the_recipe(
    judge: str, graders: str, sentence: str
) -> None:
    table = judge_table("http://localhost:1/v1", judge) if judge else ""
    with pytest.raises(RecipeError, match=sentence):
        parse_recipe(recipe_of(table, graders), "r")


def test_judge_and_graders_are_in_the_resolved_recipe() -> None:
    table = judge_table("http://localhost:1/v1", "attempts = 5")
    recipe = parse_recipe(recipe_of(table, TO_JUDGE), "r")
    assert parse_recipe(resolved(recipe), "r") == recipe
    assert recipe.judge is not None and recipe.judge.attempts == 5


@pytest.mark.parametrize(
    ("graders", "tally"),
    [
        (Graders({}), Tally(right=2, wrong=1, unscored=1)),
        (Graders({"number": "exact_number"}), Tally(right=1, wrong=2, unscored=1)),
        (Graders({"number": "judge"}), Tally(right=1, wrong=0, unscored=3)),
    ],
)
def test_attempts_are_tallied_by_the_graders_of_the_recipe(graders: Graders, tally: Tally) -> None:
    """What a judge may still decide is unscored while attempts are drawn, never wrong."""
    row = {"correct": 0, "wrong": 0, "answer_kind": "number", "answers": ["100"], "choices": []}
    owed = Owed(Unit("s", "t", "?", (), dict.fromkeys(range(4), "r")), row, 4, graders)
    said = [
        Rollout("r", "s", "direct", 0, "m", "direct", 0, (), text, "answered", None, 0.0)
        for text in ("100", "104", "200", None)
    ]
    assert added(owed.tally, [owed.grade(each).value for each in said]) == tally
