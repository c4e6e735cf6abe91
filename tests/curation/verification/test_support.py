"""Support: who answers the same without having seen anything did not need the tool."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from curation.verification.support import support
from schemas import Support
from tests.curation.scene import recipe_text, reply
from tests.scripted_server import Fault, ScriptedServer, images_of, text_of

SAMPLES = 60


class Teacher:
    """The scene's model; asked again, it says what it said before unless it `looks`."""

    looks = True
    broken = False

    def __call__(self, request: dict[str, Any]) -> list[str] | Fault:
        again = request["n"] == 4 and request["temperature"] < 1
        if again and self.broken:
            return Fault(status=400, message="no")
        shown = Image.open(io.BytesIO(images_of(request)[-1])).convert("L")
        sees = shown.getextrema() != (255, 255)
        says = "stdout:\n```\n\n```" not in text_of(request)
        if again and self.looks and not (sees and says and _own(request)):
            return ["<think>Nothing there.</think>\n<answer>-1</answer>"] * request["n"]
        return reply(request)


def _own(request: dict[str, Any]) -> bool:
    """What was printed is the sum of this question, not of another one."""
    question, printed = text_of(request).split("What is ")[1], text_of(request)
    left, right = question.split("?")[0].split(" plus ")
    return f"```\n{int(left) + int(right)}\n```" in printed


@pytest.fixture
def teacher() -> Teacher:
    return Teacher()


@pytest.fixture
def server(teacher: Teacher) -> Iterator[ScriptedServer]:
    with ScriptedServer(teacher) as scripted:
        yield scripted


def taught(server: ScriptedServer, run: Run, **settings: object) -> None:
    keys = "\n".join(f"{key} = {value}" for key, value in {"support": 4, **settings}.items())
    text = recipe_text(server.url, SAMPLES).replace("attempts = 2", f"attempts = 2\n{keys}")
    run_recipe(parse_recipe(text, "scene"), run, Silent())


def findings(run: Run) -> dict[bool | None, int]:
    with run.connect() as db:
        rows = db.execute("""SELECT passed, count(*) FROM verifications
                             WHERE "check" = 'support' GROUP BY 1""").fetchall()
    return dict(rows)


def trajectories(run: Run) -> int:
    return int(run.value("SELECT count(*) FROM trajectories"))


def test_an_answer_that_rests_on_what_was_seen_is_kept(
    server: ScriptedServer, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    taught(server, run)
    assert list(findings(run)) == [True] and trajectories(run) > 0
    assert run.value("SELECT count(*) FROM supports WHERE swapped_attempts = 4") > 0
    asked = server.count
    taught(server, run)
    assert server.count == asked, "counts are not asked for twice"


def test_answers_that_need_no_observation_are_rejected_and_a_bound_costs_no_request(
    server: ScriptedServer, teacher: Teacher, tmp_path: Path
) -> None:
    teacher.looks = False
    run = Run(tmp_path / "run")
    taught(server, run)
    found = findings(run)
    assert list(found) == [False] and found[False] >= 20
    assert trajectories(run) == 0
    asked = server.count
    taught(server, run, max_support_right=1.0)
    assert server.count == asked and list(findings(run)) == [True] and trajectories(run) > 0


def test_what_could_not_be_asked_is_not_kept(
    server: ScriptedServer, teacher: Teacher, tmp_path: Path
) -> None:
    teacher.broken = True
    run = Run(tmp_path / "run")
    taught(server, run)
    assert list(findings(run)) == [None] and trajectories(run) == 0
    assert run.value("SELECT count(*) FROM quarantine WHERE stage = 'support'") > 0


@pytest.mark.parametrize(
    ("counts", "passed"),
    [((4, 2, 4, 0), True), ((4, 3, 4, 0), False), ((4, 0, 4, 3), False), ((0, 0, 0, 0), None)],
)
def test_either_kind_of_observation_can_speak_against_it(
    counts: tuple[int, int, int, int], passed: bool | None
) -> None:
    assert support(Support("r", "s", *counts), 0.5).passed is passed
