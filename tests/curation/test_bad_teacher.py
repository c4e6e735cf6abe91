"""A teacher that does everything wrong: each fault is a stop reason, counted, and in the funnel."""

from __future__ import annotations

import re
from pathlib import Path

from curation.funnel import read_funnel
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from tests.curation.rollouts.rolling import cell, turn_of
from tests.curation.scene import taught_recipe
from tests.scripted_server import Fault, Request, ScriptedServer, Text, text_of

ENDS = {
    "ignores the grammar": ("It is three.", "parse_error", "no_action"),
    "opens two actions": (cell("print(1)") + cell("print(2)"), "max_turns", None),
    "is cut off": (("so " * 64, "length"), "length", "cut off after 512 tokens"),
    "never comes to an end": (cell("print(1)"), "max_turns", None),
    "says nothing": ("", "parse_error", "no_action"),
    "echoes the prompt": ("", "parse_error", "echo"),
    "shows an image": (f"<image>{cell('print(1)')}", "parse_error", "image_placeholder"),
    "loses the connection": ("", "model_error", None),
}
"""What it says to the samples, one after the other, and how the rollout ends."""


def reply(request: Request) -> list[Text] | Fault:
    found = re.search(r"What is (\d+) plus (\d+)\?", text_of(request))
    assert found is not None
    if "</code>" not in request["stop"]:
        return [f"<answer>{int(found[1]) + int(found[2]) if i else -1}</answer>" for i in (0, 1)]
    name = list(ENDS)[int(found[1])]
    if name == "echoes the prompt":
        return [text_of(request)]
    if name == "loses the connection" and turn_of(request):
        return Fault(cut=True)
    return [cell("print(1)") if name == "loses the connection" else ENDS[name][0]]


def test_every_fault_is_recorded_counted_and_shown(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with ScriptedServer(reply) as server:
        text = taught_recipe(
            f'url = "{server.url}"\nretries = 0\nbackoff = 0.0',
            limit=len(ENDS),
            teach="attempts = 1\nmax_turns = 3",
        )
        run_recipe(parse_recipe(text, "bad"), run, Silent())
    with run.connect() as db:
        rows = db.sql("""SELECT origin_id[5:]::INT, stop_reason, error
                         FROM rollouts JOIN samples USING (sample_id)
                         WHERE arm = 'teacher' ORDER BY 1""").fetchall()
        failed = db.sql("SELECT message FROM quarantine WHERE stage = 'teacher'").fetchall()
    expected = [(i, *end[1:]) for i, end in enumerate(ENDS.values()) if end[1] != "model_error"]
    assert rows == expected
    assert len(failed) == 1 and "dropped connection" in failed[0][0]
    lines = {label: sum(counts.values()) for label, counts in read_funnel(run).lines}
    assert lines["teacher rollouts"] == len(ENDS) - 1
    ended = {label: count for label, count in lines.items() if label.startswith("ended: ")}
    assert ended == {"ended: parse_error": 4, "ended: max_turns": 2, "ended: length": 1}
    assert lines["failed requests: teacher"] == 1
    assert lines["rejected: answered"] == lines["teacher rollouts"]
    assert lines["rejected: grammar"] >= 1 and "trajectories" not in lines
