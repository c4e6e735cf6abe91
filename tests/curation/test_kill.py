"""A run that is killed with SIGKILL at any point, and started again, ends with the same rows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curation.runs import RECORDS, Run
from tests.curation.scene import reply, write_recipe
from tests.scripted_server import ScriptedServer

ROOT = Path(__file__).parents[2]
SAMPLES = 10
TIMES = {"seconds"}
"""Fields that differ from run to run."""


def command(recipe: Path, run: Path) -> list[str]:
    return [sys.executable, "-m", "curation", "run", str(recipe), "--run", str(run)]


def run_to_the_end(recipe: Path, run: Path) -> None:
    done = subprocess.run(command(recipe, run), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def killed_at_line(start: str) -> Callable[[Path, Path, ScriptedServer], None]:
    """Kill the run the moment it says something that begins like this."""

    def kill(recipe: Path, run: Path, server: ScriptedServer) -> None:
        with subprocess.Popen(
            command(recipe, run), cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(start):
                    process.kill()
            assert process.wait() == -signal.SIGKILL, f"it never said {start!r}"

    return kill


def killed_at_request(number: int) -> Callable[[Path, Path, ScriptedServer], None]:
    """Kill the run when it asks for the given time, before it hears the answer."""

    def kill(recipe: Path, run: Path, server: ScriptedServer) -> None:
        first = server.count

        def say(request: dict[str, Any]) -> Any:
            if server.count - first >= number:
                os.kill(process.pid, signal.SIGKILL)
            return reply(request)

        process = subprocess.Popen(command(recipe, run), cwd=ROOT, stdout=subprocess.DEVNULL)
        server.reply = say
        assert process.wait() == -signal.SIGKILL, f"it never asked {number} times"
        server.reply = reply

    return kill


POINTS = [
    killed_at_line("ingest sums"),
    killed_at_line("measure:"),
    killed_at_request(3),
    killed_at_line("direct:"),
    killed_at_line("decide"),
    killed_at_line("teacher:"),
    killed_at_line("verify"),
    killed_at_line("compose"),
]


def rows(run: Run) -> dict[str, list[str]]:
    """Every table's rows as sorted text, without times."""
    found = {}
    with run.connect() as db:
        for name in RECORDS:
            table = db.sql(f"FROM {name}").to_arrow_table().to_pylist()
            found[name] = sorted(json.dumps(timeless(row), sort_keys=True) for row in table)
    return found


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def exported(run: Run) -> dict[str, list[str]]:
    return {
        target: sorted(
            repr(row)
            for shard in run.export_path(target).glob("*.parquet")
            for row in pq.read_table(shard).to_pylist()
        )
        for target in ("deepeyes-v2", "llamafactory")
    }


def test_killed_at_any_point_a_run_ends_with_the_same_rows(tmp_path: Path) -> None:
    with ScriptedServer(reply) as server:
        recipe = write_recipe(tmp_path, server.url, SAMPLES)
        whole, broken = tmp_path / "whole", tmp_path / "broken"
        run_to_the_end(recipe, whole)
        paid = server.count
        for kill in POINTS:
            kill(recipe, broken, server)
        run_to_the_end(recipe, broken)
        again = server.count - paid
    undisturbed = rows(Run(whole))
    assert undisturbed["trajectories"] and undisturbed["verdicts"]
    assert rows(Run(broken)) == undisturbed
    assert exported(Run(broken)) == exported(Run(whole))
    images = {path.name for path in (whole / "images").rglob("*.png")}
    assert {path.name for path in (broken / "images").rglob("*.*")} == images
    assert again < 2 * paid  # what was done before each kill was not paid for again
