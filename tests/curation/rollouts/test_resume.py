"""Rollouts that a later process goes on with: what was answered is not asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from curation.rollouts.journal import Entry, Journal
from schemas import Rollout
from tests.curation.rollouts.rolling import Closed, cell, roll, script, turn_of
from tests.scripted_server import ReplyFunction, ScriptedServer

TURNS = (cell("x = 1", "show(image_1)"), cell("x += 1", "print(x)"), "<answer>3</answer>")
NOTES = 5
"""Three replies, and the results of two actions."""
ZOOM = (
    '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [4, 4, 44, 54]}}'
    "</tool_call>"
)


class Killed(Exception):
    """The end of a process, as far as the journal can tell."""


def stop_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the journal take so many notes and no further one."""
    write, taken = Journal.note, 0

    def note(self: Journal, entries: Iterable[Entry]) -> None:
        nonlocal taken
        if taken == number:
            raise Killed
        taken += 1
        write(self, entries)

    monkeypatch.setattr(Journal, "note", note)


def killed(act: Callable[[], object]) -> None:
    """Do something that ends by `Killed`, from whatever depth of tasks."""
    died = False
    try:
        act()
    except* Killed:
        died = True
    assert died


def keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the journal as a process leaves it that is killed before its rollouts are written."""
    monkeypatch.setattr(Journal, "__exit__", lambda self, *_: self._close())


def plain(rollouts: list[Rollout]) -> list[tuple[Any, ...]]:
    """What does not differ from run to run."""
    return [(each.attempt, each.seed, each.prediction, each.turns[0].text) for each in rollouts]


@pytest.mark.parametrize("number", range(NOTES))
def test_a_rollout_goes_on_from_its_last_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Its session too: the second cell builds on the first."""
    path = tmp_path / "journal" / "tools.jsonl"
    with ScriptedServer(script(*TURNS)) as server:
        with monkeypatch.context() as patch:
            stop_at(patch, number)
            killed(lambda: roll(tmp_path, server, journal=path))
        asked = server.count
        (rollout,) = roll(tmp_path, server, journal=path)
    assert (rollout.stop_reason, rollout.prediction) == ("answered", "3")
    second = rollout.turns[1].call
    assert second is not None and second.stdout.strip() == "2"
    lost = number % 2 == 0  # even notes are replies, and the one that was not taken is lost
    assert server.count == len(TURNS) + lost
    assert asked == number // 2 + 1
    seeds = [request["seed"] for request in server.requests]
    assert len(set(seeds)) == len(TURNS), "what is asked for again is asked in the same way"


def test_only_the_attempts_that_are_missing_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal" / "tools.jsonl"
    with ScriptedServer(script("<answer>3</answer>")) as server:
        whole = roll(tmp_path, server, attempts=range(4), sandbox=Closed)
        (complete,) = server.requests
        server.requests.clear()
        with monkeypatch.context() as patch:
            keep(patch)
            roll(tmp_path, server, attempts=(1,), journal=path, sandbox=Closed)
        server.requests.clear()
        again = roll(tmp_path, server, attempts=range(4), journal=path, sandbox=Closed)
    assert [(r["n"], r["seed"] - complete["seed"]) for r in server.requests] == [(1, 0), (2, 2)]
    assert plain(again) == plain(whole)


def noisy(request: dict[str, Any]) -> list[str]:
    """A model whose first cell prints something else each time."""
    cells = ("import time", "print(time.time_ns())")
    return [cell(*cells) if turn_of(request) == 0 else "<answer>3</answer>"]


def test_code_that_gives_something_else_begins_its_rollout_anew_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = tmp_path / "journal" / "tools.jsonl", list[str]()
    with ScriptedServer(noisy) as server:
        with monkeypatch.context() as patch:
            stop_at(patch, 2)
            killed(lambda: roll(tmp_path, server, journal=path))
        before = server.count
        (rollout,) = roll(tmp_path, server, journal=path, say=told.append)
    assert before == 2 and server.count == 4
    assert rollout.stop_reason == "answered" and len(rollout.turns) == 2
    (line,) = told
    assert line.startswith("tools: attempt 0 at sample ssssssssssss begins anew")
    assert text_shown(server) == rollout.turns[0].call.text  # type: ignore[union-attr]


def text_shown(server: ScriptedServer) -> str:
    """The observation of the last request."""
    content = server.requests[-1]["messages"][-1]["content"]
    assert isinstance(content, str)
    return content


def test_a_zoom_needs_no_session_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal" / "tools.jsonl"
    replies: ReplyFunction = script(ZOOM, "<answer>3</answer>")
    with ScriptedServer(replies) as server:
        with monkeypatch.context() as patch:
            stop_at(patch, 2)
            killed(lambda: roll(tmp_path, server, dialect="deepeyes", journal=path, sandbox=Closed))
        (rollout,) = roll(tmp_path, server, dialect="deepeyes", journal=path, sandbox=Closed)
    assert rollout.stop_reason == "answered" and rollout.turns[0].call is not None
    assert len(rollout.turns[0].call.image_ids) == 1


def test_a_lost_session_stays_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal" / "tools.jsonl"
    with ScriptedServer(script(cell("import os", "os._exit(1)"))) as server:
        with monkeypatch.context() as patch:
            keep(patch)
            roll(tmp_path, server, journal=path)
        (rollout,) = roll(tmp_path, server, journal=path, sandbox=Closed)
    assert rollout.stop_reason == "tool_lost" and server.count == 1
