"""A whole job while everything around it fails: its rows are those of a calm run.

`TOOLSIGHT_CHAOS_KILLS=50 pytest -s tests/curation/test_chaos.py` is the nightly setting.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from curation.errors import RunError, ServerError, ToolsightError
from curation.job import Job
from curation.manifest import read_manifest
from curation.pipeline import curate_steps, perform, run_recipe
from curation.progress import Silent
from curation.recipes.file import load_recipe
from curation.runs import Run
from tests.chaos import Outcome, answer, compare, ordeal, write_recipe
from tests.scripted_server import Fault, Request, ScriptedServer, Text

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
    refusals: list[str] = []
    with ScriptedServer(answer) as server:
        recipe = load_recipe(write_recipe(tmp_path, server.url, SAMPLES))
        run_recipe(recipe, Run(tmp_path / "calm"), Silent())
        run = Run(disk / "run")
        for kilobytes in (100, 150, 225, 340, 500, 750, 2**20):
            room = f"remount,size={kilobytes}k"
            subprocess.run(["mount", "-o", room, str(disk)], check=True)
            with suppress(ToolsightError):
                run_recipe(recipe, run, Silent())
            refusals.append(read_manifest(run).stopped)
            assert not list(run.path.rglob("*.partial"))
    full = [refusal for refusal in refusals if "is full" in refusal]
    assert len(full) >= 3 and not refusals[-1]
    outcome = Outcome(Counter(), 0, 0, 0)
    compare(Run(tmp_path / "calm"), run, outcome)
    assert (outcome.lost, outcome.doubled) == (0, 0)


def test_a_second_run_on_the_folder_is_refused_while_the_first_works(tmp_path: Path) -> None:
    run, refusals = Run(tmp_path / "run"), list[str]()

    def say(request: Request) -> Sequence[Text]:
        with pytest.raises(RunError, match="another process is writing") as refusal, run.writing():
            pass
        refusals.append(str(refusal.value))
        return answer(request)

    with ScriptedServer(say) as server:
        run_recipe(load_recipe(write_recipe(tmp_path, server.url, SAMPLES)), run, Silent())
        assert len(refusals) == server.count > 0


def test_a_fleet_bears_a_server_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    away = range(4, 16)

    def flicker(request: Request) -> Sequence[Text] | Fault:
        return Fault(cut=True) if frail.count in away else answer(request)

    with ScriptedServer(answer) as sound, ScriptedServer(flicker) as frail:
        alone = write_recipe(tmp_path, sound.url, SAMPLES)
        run_recipe(load_recipe(alone), Run(tmp_path / "calm"), Silent())
        paid = sound.count
        fleet = tmp_path / "fleet.toml"
        both = f'urls = ["{sound.url}", "{frail.url}"]'
        fleet.write_text(alone.read_text().replace(f'url = "{sound.url}"', both))
        run_recipe(load_recipe(fleet), Run(tmp_path / "run"), Silent())
        assert sound.count > paid and frail.count > away.stop
    outcome = Outcome(Counter(), 0, 0, 0)
    compare(Run(tmp_path / "calm"), Run(tmp_path / "run"), outcome)
    assert (outcome.lost, outcome.doubled) == (0, 0)


def test_a_server_that_is_away_between_two_stages_is_waited_for(tmp_path: Path) -> None:
    faults = iter([Fault(status=503)] * 20)
    with ScriptedServer(answer) as server:
        recipe = load_recipe(write_recipe(tmp_path, server.url, SAMPLES))
        with Job.open(recipe, Run(tmp_path / "run")) as job:
            for step in curate_steps(recipe):
                if step.name == "tools":
                    server.ill = 5
                    server.reply = lambda request: next(faults, None) or answer(request)
                perform(job, step)
        assert not server.ill
        assert Run(tmp_path / "run").value("SELECT count(*) FROM verdicts") == SAMPLES


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
