"""A whole job while everything around it fails: its rows are those of a calm run.

`TOOLSIGHT_CHAOS_KILLS=50 pytest -s tests/curation/test_chaos.py` is the nightly setting.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.errors import RunError, ServerError
from curation.manifest import read_manifest
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import load_recipe
from curation.runs import Run
from tests.chaos import Outcome, answer, compare, ordeal, write_recipe
from tests.scripted_server import Fault, ScriptedServer

KILLS = int(os.environ.get("TOOLSIGHT_CHAOS_KILLS", "8"))
SAMPLES = 10


@pytest.mark.timeout(120 + 60 * KILLS)
def test_nothing_is_lost_doubled_or_graded_wrongly(tmp_path: Path) -> None:
    outcome = ordeal(tmp_path, kills=KILLS, samples=SAMPLES, share=0.1, seed=KILLS)
    print(outcome)
    assert outcome.kills == KILLS
    assert len(outcome.injected) == 8, "every kind of fault struck"
    assert (outcome.lost, outcome.doubled) == (0, 0)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with very little room at first."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "toolsight-test", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is refused here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_ends_a_run_that_goes_on_when_there_is_room(tmp_path: Path, disk: Path) -> None:
    with ScriptedServer(answer) as server:
        recipe = load_recipe(write_recipe(tmp_path, server.url, SAMPLES))
        run_recipe(recipe, Run(tmp_path / "calm"), Silent())
        run = Run(disk / "run")
        for kilobytes in (200, 300, 400, 500):
            with pytest.raises(RunError, match="is full: make room, then run again"):
                run_recipe(recipe, run, Silent())
            assert not list(run.path.rglob("*.partial"))
            room = f"remount,size={kilobytes}k"
            subprocess.run(["mount", "-o", room, str(disk)], check=True)
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
        run_recipe(recipe, run, Silent())
    outcome = Outcome({}, 0, 0, 0)
    compare(Run(tmp_path / "calm"), run, outcome)
    assert (outcome.lost, outcome.doubled) == (0, 0)


def test_a_run_whose_server_is_gone_says_so_and_resumes(tmp_path: Path) -> None:
    told: list[str] = []
    reporter = Silent()
    reporter.say = told.append  # type: ignore[method-assign]
    with ScriptedServer(answer) as server:
        text = write_recipe(tmp_path, server.url, SAMPLES).read_text()
        hasty = tmp_path / "hasty.toml"
        hasty.write_text(text.replace("backoff = 0.02", "backoff = 0.02\npatience = 3.0"))
        recipe, run = load_recipe(hasty), Run(tmp_path / "run")
        server.reply = lambda request: answer(request) if server.count < 9 else Fault(status=500)
        with pytest.raises(ServerError, match="No model server has answered for") as stop:
            run_recipe(recipe, run, reporter)
        assert any("is drained after" in line and "500" in line for line in told)
        manifest = read_manifest(run)
        assert manifest.stopped == str(stop.value)
        assert any("is drained after" in note for note in manifest.notes)
        server.reply = answer
        run_recipe(recipe, run, Silent())
    assert read_manifest(run).stopped == ""
    assert run.value("SELECT count(*) FROM quarantine") == 0
    assert run.value("SELECT count(*) FROM verdicts") == SAMPLES
