"""Killed with SIGKILL at any moment of its rollouts, a run asks for no reply twice and ends with
the rows of a run that was not disturbed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

from curation.runs import Run
from tests.curation.killed import MODES
from tests.curation.scene import taught_recipe
from tests.curation.test_kill import ROOT, rows
from tests.scripted_server import ScriptedServer, Text, text_of

STEPS = (0, 1, 3, 2, 5, 4, 7)
"""Notes that the process may make before it is killed, time after time."""


def reply(request: dict[str, Any]) -> list[Text]:
    """Right in one of two direct attempts; as a teacher, a cell that builds on the one before."""
    found = re.search(r"What is (\d+) plus (\d+)\?", text_of(request))
    assert found is not None
    total = int(found[1]) + int(found[2])
    if "</code>" not in request["stop"]:
        return [f"<answer>{total if attempt else -1}</answer>" for attempt in range(request["n"])]
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    if turn == 2:
        return [f"<think>It says so.</think>\n<answer>{total}</answer>"] * request["n"]
    code = (
        f"total = {found[1]}\nshow(image_1.crop((0, 0, {32 + request['seed'] % 8}, 32)))",
        f"total += {found[2]}\nprint(total)",
    )[turn]
    return [f"<think>Step {turn}.</think>\n<code>\n```python\n{code}\n```\n</code>"] * request["n"]


def killed_run(recipe: Path, run: Path, log: Path, notes: int, mode: str) -> int:
    """The exit status of a run that would be killed after so many notes."""
    words = [sys.executable, "-m", "tests.curation.killed", recipe, run, log, str(notes), mode]
    return subprocess.run(words, cwd=ROOT, check=False).returncode


def test_a_killed_run_pays_for_no_reply_twice(tmp_path: Path) -> None:
    recipe, log = tmp_path / "killed.toml", tmp_path / "log"
    log.touch()
    with ScriptedServer(reply) as server:
        recipe.write_text(taught_recipe(f'url = "{server.url}"\nmax_in_flight = 1'))
        assert killed_run(recipe, tmp_path / "whole", log, 10**6, "after") == 0
        paid = server.count
        for notes, mode in zip(STEPS, cycle(MODES), strict=False):
            status = killed_run(recipe, tmp_path / "broken", log, notes, mode)
            assert status == -signal.SIGKILL, f"it came to its end within {notes} notes"
        assert killed_run(recipe, tmp_path / "broken", log, 10**6, "after") == 0
        again = server.count - 2 * paid
    lost = log.read_text().splitlines().count("reply")
    # One request is in flight at a time: a kill costs the turn in progress and nothing before it.
    assert 0 < lost <= again <= len(STEPS)
    undisturbed = rows(Run(tmp_path / "whole"))
    assert len(undisturbed["rollouts"]) == 3 * (2 + 2)
    assert rows(Run(tmp_path / "broken")) == undisturbed
    assert not list((tmp_path / "broken" / "journal").iterdir())
