"""Budgets: what a run may cost, for each teacher and altogether."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curation.budget import SPENT, Budget, Caps, RunCaps
from curation.cli import app
from curation.errors import CapReached, ServerError
from curation.models.completion import Completion, Reply
from curation.models.usage import Usage
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.recipes.models import Model
from curation.recipes.recipe import Recipe
from curation.runs import Run
from tests.curation.scene import recipe_text, reply, write_recipe
from tests.scripted_server import Fault, ScriptedServer

SAMPLES = 18
IN_FLIGHT = 8
"""Of every model of the scene."""
MODEL = Model(url="http://a/v1", prompt_price=2.0, completion_price=10.0, gpus=4)
ANSWER = Completion((Reply("yes", "stop"),), 1000, 100, 0.5)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(reply) as scripted:
        yield scripted


def recipe(server: ScriptedServer, budget: str = "", teacher: str = "") -> Recipe:
    text = recipe_text(server.url, SAMPLES)
    if teacher:  # one request at a time
        before, _, after = text.partition("[teacher]")
        table = after.partition("[arms")[0].replace("max_in_flight = 8", "max_in_flight = 1")
        text = f"{before}[teacher]{table}{teacher}\n[arms{after.partition('[arms')[2]}"
    return parse_recipe(f"{text}\n[budget]\n{budget}\n", "scene")


def run(recipe: Recipe, folder: Path) -> list[str]:
    """What the run said."""
    said: list[str] = []
    reporter = Silent()
    reporter.say = said.append  # type: ignore[method-assign]
    run_recipe(recipe, Run(folder), reporter)
    return said


def outcome(folder: Path) -> list[Any]:
    """Everything that a run has decided and written."""
    with Run(folder).connect() as db:
        return [
            db.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()
            for table, columns in (
                ("rollouts", "rollout_id, prediction, stop_reason"),
                ("verdicts", "*"),
                ("trajectories", "trajectory_id"),
            )
        ]


def answered(usage: Usage, times: int = 1) -> None:
    for _ in range(times):
        with usage.flight():
            usage.add(ANSWER)


@pytest.mark.parametrize(
    ("caps", "allowed"),
    [
        (Caps(requests=3), 3),
        (Caps(tokens=2200), 2),
        (Caps(tokens=2201), 3),
        (Caps(money=0.0089), 3),  # 0.003 a request
        (Caps(), 10),
    ],
)
def test_a_cap_ends_an_account(tmp_path: Path, caps: Caps, allowed: int) -> None:
    budget = Budget.open(RunCaps(), {"kind": caps}, tmp_path / SPENT)
    usage, asked = Usage(), 0
    permit = budget.permit("kind", MODEL, usage)
    while asked < 10 and budget.allows("kind"):
        permit()
        answered(usage)
        asked += 1
    assert asked == allowed
    if allowed < 10:
        with pytest.raises(CapReached, match="of kind"):
            permit()


def test_the_cap_of_the_run_is_for_everybody_together(tmp_path: Path) -> None:
    budget = Budget.open(RunCaps(requests=5), {"policy": None, "judge": None}, tmp_path / SPENT)
    usages = Usage(), Usage()
    permits = [budget.permit("policy", MODEL, usages[0]), budget.permit("judge", MODEL, usages[1])]
    answered(usages[0], 3)
    answered(usages[1], 2)
    for permit in permits:
        with pytest.raises(CapReached, match=r"cap of 5 requests of the run \(5 spent\)"):
            permit()


@pytest.mark.parametrize("renew", [False, True])
def test_what_was_spent_is_remembered(tmp_path: Path, renew: bool) -> None:
    for session in range(2):
        budget = Budget.open(RunCaps(renew=renew), {"kind": Caps(requests=4)}, tmp_path / SPENT)
        usage = Usage()
        permit = budget.permit("kind", MODEL, usage)
        permit()
        answered(usage, 2)
        budget.keep()
        assert budget.allows("kind") == (session == 0 or renew)
    told = json.loads((tmp_path / SPENT).read_text())["kind"]
    assert (told["requests"], told["prompt_tokens"]) == (4, 4000)
    assert told["money"] == pytest.approx(0.012)


def test_gpu_seconds_are_those_with_a_request_in_flight(tmp_path: Path) -> None:
    usage = Usage()
    with usage.flight(), usage.flight():
        pass
    busy = usage.busy_seconds
    assert busy > 0 and usage.busy_seconds == busy and usage.sent == 2
    budget = Budget.open(RunCaps(gpu_seconds=busy), {"kind": None}, tmp_path / SPENT)
    with pytest.raises(CapReached, match="GPU-seconds of the run"):
        budget.permit("kind", MODEL, usage)()


def test_a_server_that_tells_no_tokens_cannot_be_capped_by_them(tmp_path: Path) -> None:
    budget = Budget.open(RunCaps(), {"kind": Caps(tokens=9)}, tmp_path / SPENT)
    usage = Usage()
    permit = budget.permit("kind", MODEL, usage)
    with usage.flight():
        usage.add(Completion((Reply("yes", "stop"),), 0, 0, 0.1))
    with pytest.raises(ServerError, match="does not tell how many tokens"):
        permit()


def test_a_run_stops_at_its_cap_and_goes_on_under_a_larger_one(
    server: ScriptedServer, tmp_path: Path
) -> None:
    run(recipe(server), tmp_path / "free")
    needed, server.count = server.count, 0
    for cap in (7, 30, 60):
        said = run(recipe(server, f"requests = {cap}"), tmp_path / "run")
        assert server.count == cap, "not one request beyond the cap, and none paid twice"
        assert f"stopped at the cap of {cap} requests of the run ({cap} spent)" in said[-1]
        assert "run again with a larger cap to go on" in said[-1]
    assert needed > 60
    run(recipe(server), tmp_path / "run")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "free")
    assert server.count == needed, "no turn is paid twice"


def test_a_cap_before_the_verdicts_ends_the_run_there(
    server: ScriptedServer, tmp_path: Path
) -> None:
    run(recipe(server, "requests = 7"), tmp_path)
    assert outcome(tmp_path)[1:] == [[], []]
    assert Run(tmp_path).value("SELECT count(*) FROM rollouts") > 0


def test_tokens_overshoot_by_what_is_in_flight_alone(
    server: ScriptedServer, tmp_path: Path
) -> None:
    cap, largest = 300, 10 + 8 * 16  # the prompt, and eight short replies
    run(recipe(server, f"tokens = {cap}"), tmp_path)
    told = json.loads((tmp_path / SPENT).read_text())["policy"]
    spent = told["prompt_tokens"] + told["completion_tokens"]
    assert cap <= spent < cap + IN_FLIGHT * largest
    assert told["requests"] == server.count


def test_what_a_capped_teacher_wrote_is_verified_composed_and_exported(
    server: ScriptedServer, tmp_path: Path
) -> None:
    prices = "prompt_price = 1000.0\ncompletion_price = 1000.0"
    capped = f"{prices}\nbudget = {{ money = 0.12 }}"
    run(recipe(server), tmp_path / "free")
    said = run(recipe(server, teacher=capped), tmp_path / "run")
    assert "teacher: stopped at the cap of 0.12 in money of teacher" in said[-1]
    some, whole = outcome(tmp_path / "run"), outcome(tmp_path / "free")
    assert some[1] == whole[1] and 0 < len(some[2]) < len(whole[2])
    exported = Run(tmp_path / "run").export_path("llamafactory")
    assert list(exported.glob("*.parquet"))
    run(recipe(server, teacher=capped.replace("0.12", "9.0")), tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


def test_a_repeated_request_counts(server: ScriptedServer, tmp_path: Path) -> None:
    def fails_once(request: dict[str, Any]) -> Any:
        return Fault(status=500) if server.count == 1 else reply(request)

    server.reply = fails_once
    run(recipe(server, "requests = 5"), tmp_path)
    assert server.count == 5


def test_the_command_ends_well_at_a_cap(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_recipe(tmp_path, server.url, SAMPLES)
    path.write_text(path.read_text() + "\n[budget]\nrequests = 5\n")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["run", str(path)])
    assert result.exit_code == 0 and server.count == 5
    assert "stopped at the cap of 5 requests of the run" in " ".join(result.output.split())
