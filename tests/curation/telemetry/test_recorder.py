"""Figures of clients: counted live, kept through a kill, added up over sessions and told."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from curation.models import ModelClient, Sampling
from curation.models.usage import Usage
from curation.recipes.models import Model
from curation.telemetry import FILE, Recorder, Traffic, read_traffic, total
from curation.telemetry.journal import append
from schemas import Message
from tests.curation.telemetry.test_engine import page
from tests.scripted_server import Fault, ScriptedServer

QUESTION = [Message("user", "How many?")]


def test_busy_time_is_wall_time_with_anything_in_flight() -> None:
    now = [0.0]
    usage = Usage(clock=lambda: now[0])
    with usage.flight():
        now[0] = 2.0
        with usage.flight():
            now[0] = 5.0
            assert usage.busy_seconds == 5
        now[0] = 6.0
    now[0] = 100.0
    assert (usage.busy_seconds, usage.sent, usage.in_flight) == (6, 2, 0)


def test_figures_add_up_and_can_be_taken_apart() -> None:
    one = Traffic(sent=3, faults={"status": 1}, engine={"looks": 1}, open_seconds=4, busy_seconds=3)
    other = Traffic(sent=2, faults={"timeout": 2}, completion_tokens=8, open_seconds=4)
    both = total([one, other])
    assert (both.sent, both.faults) == (5, {"status": 1, "timeout": 2})
    assert (both.idle_seconds, both.tokens_a_second) == (5, 1)
    assert (both - other).sent == one.sent
    assert Traffic.read(json.loads(json.dumps(both.told()))) == both


def test_half_a_line_of_a_killed_session_spoils_none(tmp_path: Path) -> None:
    path = tmp_path / FILE
    assert read_traffic(path) == {}
    append(path, "direct", "m", Traffic(sent=1))
    with path.open("a") as file:
        file.write('\n{"stage": "direct", "mod')
    append(path, "direct", "m", Traffic(sent=2))
    append(path, "tools", "m", Traffic(sent=4))
    assert {stage: models["m"].sent for stage, models in read_traffic(path).items()} == {
        "direct": 3,
        "tools": 4,
    }


async def test_a_client_is_followed_by_stage_and_what_it_costs_is_told(tmp_path: Path) -> None:
    outcomes = iter([Fault(status=500)])
    model = Model(url="http://x", prompt_price=1e6, completion_price=2e6, gpus=4)
    with ScriptedServer(lambda request: next(outcomes, ["so it is"])) as server:
        server.metrics = page(queries=10, hits=5)
        recorder = Recorder(tmp_path / FILE)
        recorder.stage = "direct"
        followed = partial(recorder.follow, model=model)
        async with ModelClient([server.url], backoff=0, follow=followed) as client:
            await client.complete(QUESTION, [], Sampling())
            server.metrics = page(queries=30, hits=20)
            (line, spent) = recorder.lines()
            assert line.startswith("scripted: 1 requests, 0 in flight, 1 repeated, ")
            assert "server: 4 running, 2 waiting" in line
            assert spent.startswith("so far: 13 tokens, ") and spent.endswith(", 16.00 in money")
        assert recorder.lines() == [spent]
    traffic = read_traffic(tmp_path / FILE)["direct"]["scripted"]
    assert (traffic.sent, traffic.requests, traffic.retries) == (2, 1, 1)
    assert (traffic.prompt_tokens, traffic.completion_tokens, traffic.money) == (10, 3, 16)
    assert traffic.faults == {"status": 1}
    assert traffic.gpu_seconds == pytest.approx(4 * traffic.busy_seconds, abs=1e-4)
    assert traffic.told()["prefix_cache_hit_rate"] == 0.75
    assert Recorder(tmp_path / FILE).lines()[0].startswith("so far: 13 tokens")


async def test_figures_are_kept_while_a_stage_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curation.telemetry.recorder._EVERY", 0.01)
    with ScriptedServer() as server:
        recorder = Recorder(tmp_path / FILE)
        followed = partial(recorder.follow, model=Model(url=server.url))
        async with ModelClient([server.url], follow=followed) as client:
            await client.complete(QUESTION, [], Sampling())
            while not read_traffic(tmp_path / FILE):
                await asyncio.sleep(0.01)
    assert total(read_traffic(tmp_path / FILE)[""].values()).requests == 1
