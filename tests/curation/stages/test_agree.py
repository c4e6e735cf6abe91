"""The judge of thoughts in whole runs: what is asked, what it costs, and what becomes of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.budget import SPENT
from curation.errors import RecipeError, RunError, ServerError, StaleSettingsError
from curation.manifest import read_manifest
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from tests.curation.scene import recipe_text, reply
from tests.scripted_server import Fault, ScriptedServer

ROOT = Path(__file__).parents[3]
SAMPLES = 4
LOOK, SLIP = "<think>Look.</think>", "<think>I count the letters.</think>"
VERDICTS = '{"reason": "read", "verdict": "right"}', '{"reason": "read", "verdict": "wrong"}'


class World:
    """The scene's model, whose teacher says at times what it does not do, and a judge who reads."""

    asked = 0
    """Requests to the judge."""
    fault: Fault | None = None
    """What the judge does instead of answering about actions."""

    def __call__(self, request: dict[str, Any]) -> list[str] | Fault:
        text = str(request["messages"][-1]["content"])
        if text.startswith('{"question"'):
            self.asked += 1
            return self.judge(request, text)
        replies = reply(request)
        if isinstance(replies, Fault) or request["temperature"] == 1:
            return replies
        slips = ((request["seed"] + i) % 2 for i in range(request["n"]))
        return [
            text.replace(LOOK, SLIP) if slip else text
            for slip, text in zip(slips, replies, strict=True)
        ]

    def judge(self, request: dict[str, Any], text: str) -> list[str] | Fault:
        if self.fault and '"action"' in text:
            return self.fault
        fits = '"thought": "Look."' in text and "crop(" in text
        fits = fits or ('"thought": "It says so."' in text and '"answer": ""' not in text)
        return [VERDICTS[not fits]] * request["n"]


@pytest.fixture(scope="module")
def everybody() -> Iterator[tuple[World, ScriptedServer, Path]]:
    """Teacher and judge, their server, and a run in which no judge was asked."""
    world = World()
    with ScriptedServer(world) as scripted, tempfile.TemporaryDirectory() as folder:
        run(Path(folder), text_of(scripted.url, on=False))
        yield world, scripted, Path(folder)


@pytest.fixture
def world(everybody: tuple[World, ScriptedServer, Path]) -> World:
    everybody[0].asked, everybody[0].fault = 0, None
    return everybody[0]


@pytest.fixture
def server(everybody: tuple[World, ScriptedServer, Path]) -> ScriptedServer:
    return everybody[1]


@pytest.fixture
def folder(everybody: tuple[World, ScriptedServer, Path], tmp_path: Path) -> Path:
    """A copy of the run in which no judge was asked."""
    return Path(shutil.copytree(everybody[2], tmp_path / "run"))


def text_of(url: str, *, on: bool = True, judge: str = "", more: str = "") -> str:
    teach = "attempts = 2\nrl_share = 1.0\nper_sample = 2\njudge_thoughts = " + str(on).lower()
    text = recipe_text(url, SAMPLES).replace("attempts = 2", teach)
    table = f'\n[judge]\nurl = "{url}"\nretries = 0\nmax_in_flight = 1\n{judge}\n'
    return text + table + more


def run(folder: Path, text: str, *, retry: bool = False) -> Run:
    made = Run(folder)
    run_recipe(parse_recipe(text, "scene"), made, Silent(), retry_quarantined=retry)
    return made


def found(made: Run, check: str) -> dict[bool | None, int]:
    with made.connect() as db:
        sql = 'SELECT passed, count(*) FROM verifications WHERE "check" = $1 GROUP BY 1'
        return dict(db.execute(sql, [check]).fetchall())


def kept(made: Run) -> int:
    return int(made.value("SELECT count(*) FROM trajectories"))


def checked(made: Run) -> int:
    """Rollouts that every check which costs nothing lets pass."""
    sql = """SELECT count(*) FROM verifications WHERE "check" = 'thought_answer'"""
    return int(made.value(sql))


def test_a_disagreement_is_rejected_and_nobody_is_asked_twice(
    server: ScriptedServer, world: World, folder: Path
) -> None:
    off = Run(folder)
    assert found(off, "thought_action") == found(off, "thought_answer") == {None: checked(off)}
    before = kept(off)
    on = run(folder, text_of(server.url))
    agreed, slipped = (found(on, "thought_action")[passed] for passed in (True, False))
    assert agreed and slipped and agreed + slipped == checked(on)
    assert found(on, "thought_answer") == {True: checked(on)}
    assert kept(on) < before
    slips = "SELECT count(*) FROM rollouts SEMI JOIN trajectories USING (rollout_id)"
    assert not on.value(f"{slips} WHERE turns[1].text LIKE '{SLIP}%'")
    # An agreement costs two orders and a control, a disagreement no control.
    assert world.asked == 3 * (agreed + checked(on)) + 2 * slipped
    asked = server.count
    run(folder, text_of(server.url))
    assert server.count == asked
    traffic = read_manifest(on).traffic["agree"].values()
    assert sum(each.requests for each in traffic) == world.asked
    with pytest.raises(StaleSettingsError, match="attempts was 3 and is now 1"):
        run(folder, text_of(server.url, judge="attempts = 1"))


def test_a_refusal_is_no_verdict_and_is_asked_again_on_demand(
    server: ScriptedServer, world: World, folder: Path
) -> None:
    world.fault = Fault(status=400, message="too long for me")
    text = text_of(server.url, more="").replace("seed = 7", "seed = 7\nmax_failed_share = 1.0")
    made = run(folder, text)
    assert found(made, "thought_action") == {None: checked(made)} and kept(made) == 0
    assert made.value("SELECT count(*) FROM quarantine WHERE error = 'judge_failed'") > 0
    evidence = made.value("""SELECT any_value(evidence) FROM verifications
                             WHERE "check" = 'thought_answer'""")
    assert evidence == "unscored: the judge could not be asked"
    world.fault = None
    assert kept(run(folder, text, retry=True)) > 0


@pytest.mark.parametrize("fault", [Fault(status=400, message="no"), Fault(cut=True)])
def test_a_judge_that_is_down_stops_the_run_and_costs_nothing_that_is_done(
    server: ScriptedServer, world: World, folder: Path, fault: Fault
) -> None:
    world.fault = fault
    text = text_of(server.url, judge="patience = 0\nbackoff = 0.01")
    with pytest.raises((RunError, ServerError)):
        run(folder, text)
    world.fault, asked = None, world.asked
    others = server.count - asked
    made = run(folder, text)
    assert server.count - world.asked == others, "only the judge was still to be asked"
    assert kept(made) > 0 and not found(made, "thought_action").get(None)


@pytest.mark.parametrize("notes", [0, 3])
def test_a_killed_run_pays_for_no_ruling_twice(
    server: ScriptedServer, world: World, folder: Path, notes: int
) -> None:
    broken = Path(shutil.copytree(folder, folder.with_name("broken")))
    text = text_of(server.url)
    undisturbed = run(folder, text)
    paid, world.asked = world.asked, 0
    recipe = broken.with_name("scene.toml")
    recipe.write_text(text)
    command = [sys.executable, "-m", "tests.curation.killed", recipe, broken, os.devnull]
    killed = subprocess.run([*map(str, command), str(notes), "after"], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    resumed = run(broken, text)
    assert world.asked == paid
    assert found(resumed, "thought_action") == found(undisturbed, "thought_action")
    assert not list((broken / "journal").glob("agree*"))


def test_a_budget_ends_the_asking_and_a_larger_one_goes_on(
    server: ScriptedServer, world: World, folder: Path
) -> None:
    accounts = json.loads((folder / SPENT).read_text()).values()
    spent = sum(each["requests"] for each in accounts)

    def capped(requests: int) -> Run:
        caps = f"[budget]\nrequests = {requests}\n"
        return run(folder, text_of(server.url, more=caps))

    some = capped(spent + 10)
    assert 10 <= world.asked <= 11
    assert found(some, "thought_action")[None] > 0
    before = kept(some)
    assert "cap" in read_manifest(some).stopped
    every = capped(spent + 10_000)
    assert kept(every) > before and not found(every, "thought_action").get(None)
    assert world.asked == 3 * (found(every, "thought_action")[True] + checked(every)) + 2 * found(
        every, "thought_action"
    ).get(False, 0)


def test_nobody_to_ask_is_told_before_the_first_request() -> None:
    text = recipe_text("http://127.0.0.1:1").replace("attempts = 2", "judge_thoughts = true")
    with pytest.raises(RecipeError, match=r"judge_thoughts is switched on without \[judge\]"):
        parse_recipe(text, "scene")
