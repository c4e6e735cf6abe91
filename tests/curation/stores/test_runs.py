"""Runs at a URL, against an S3 server: the same as in a folder, whatever happens to machines."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from curation.cli import app
from curation.errors import RunError, StoreError
from curation.runs import Run
from curation.stage import query_rows
from curation.stores import Pace, fetch_export
from curation.stores.bucket import Bucket
from curation.stores.copy import fetch
from tests.curation import scene
from tests.curation.scene import reply
from tests.curation.stores.scripted_store import ScriptedStore
from tests.curation.stores.world import REQUESTS, at, become, work, write_recipe
from tests.curation.test_kill import exported, rows
from tests.scripted_server import Fault, ScriptedServer

ROOT = Path(__file__).parents[3]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def until(true: Callable[[], bool]) -> None:
    """Wait for another process or for a clock; the test's own time limit ends it."""
    while not true():
        time.sleep(0.05)


def test_a_run_at_a_url_has_the_rows_and_the_exports_of_one_in_a_folder(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(reply) as server:
        recipe = scene.write_recipe(tmp_path, server.url, 6)
        work(recipe, Run(tmp_path / "local"))
        work(recipe, at(url))
        paid = server.count
        become(tmp_path / "another machine", monkeypatch)
        there, local = Run.at(url), Run(tmp_path / "local")
        assert rows(there) == rows(local)
        assert rows(there)["trajectories"]
        assert not [*there.images.folder.rglob("*.png")]  # They come when they are asked for.
        for target in ("deepeyes-v2", "llamafactory"):
            fetch_export(f"{url}/exports/{target}")
        assert exported(there) == exported(local)
        assert exported(there)["deepeyes-v2"]
        done = call("run", recipe, "--run", url)
        assert done.exit_code == 0 and f"nothing was owed: {url} holds everything" in done.stdout
        assert server.count == paid
    images = Bucket.at(url).walk("images")
    assert {Path(key).name for key in images} == {
        path.name for path in local.images.folder.rglob("*.*")
    }


def test_commands_take_a_url_where_they_take_a_folder(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(reply) as server:
        work(write_recipe(tmp_path, server.url), at(url))
    become(tmp_path / "reader", monkeypatch)
    funnel = call("funnel", url)
    assert f"{url}/exports/deepeyes/train-00000.parquet" in funnel.stdout
    assert call("sql", url, "SELECT 40 + count(*) AS n FROM samples").stdout.count("46") == 1
    sample = Run.at(url).value("SELECT min(sample_id) FROM samples")
    assert "direct" in call("why", url, sample).stdout
    assert call("show", url, sample).exit_code == 0
    assert call("check-export", f"{url}/exports/deepeyes").exit_code == 0
    page = call("report", url)
    assert page.stdout == f"{url}/report.html\n"
    assert b"<html" in Bucket.at(url).get("report.html")
    grown = call("export", url, "verl")
    assert grown.exit_code == 0 and f"{url}/exports/verl" in grown.stdout
    assert "exports/verl/export.json" in Bucket.at(url).walk("exports/verl")
    nothing = call("check-export", f"{url}/exports/llamafactory")
    assert nothing.exit_code == 2 and "holds no complete export" in nothing.stderr
    assert "names no export" in call("check-export", url).stderr


def held(url: str, watch: Path) -> int:
    """Replies that the store holds, in the journal or in the table."""
    try:
        fetch(Bucket.at(url), watch)
    except RunError:  # There is no run yet.
        return 0
    journal, run = watch / "journal" / "direct.jsonl", Run(watch)
    lines = journal.read_text().splitlines() if journal.exists() else []
    rolled = {row["rollout_id"] for row in query_rows(run, "FROM rollouts")}
    return len(rolled | {json.loads(line)["rollout_id"] for line in lines})


def test_a_killed_run_goes_on_on_an_empty_machine_and_pays_for_nothing_twice(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(reply) as server:
        recipe = write_recipe(tmp_path, server.url)
        work(recipe, Run(tmp_path / "undisturbed"))
        assert server.count == REQUESTS
        answered = REQUESTS + 3
        server.reply = lambda request: (
            Fault(stall=True) if server.count > answered else reply(request)
        )
        command = [sys.executable, "-m", "tests.curation.stores.world", str(recipe), url]
        with subprocess.Popen(command, cwd=ROOT) as killed:
            try:
                until(lambda: killed.poll() is not None or held(url, tmp_path / "watch") == 3 * 4)
            finally:
                killed.kill()
        server.reply = reply
        become(tmp_path / "empty machine", monkeypatch)
        with pytest.raises(RunError, match=r"if it was killed, its place is free in \d+ seconds"):
            work(recipe, at(url))
        before = server.count
        work(recipe, patient := at(url, Pace(every=0.05, lease=0.0)))
        assert server.count - before == REQUESTS - 3
    assert rows(patient) == rows(Run(tmp_path / "undisturbed"))


def test_two_sessions_of_one_run_on_two_machines(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(url).writing():
        with (
            pytest.raises(RunError, match=f"another process is writing to {url}"),
            at(url).writing(),
        ):
            pass
        become(tmp_path / "second", monkeypatch)
        refused = pytest.raises(RunError, match=f"another session is writing to {url}")
        with refused, at(url).writing():
            pass
    with at(url).writing():
        pass


def test_a_store_that_goes_away_stops_the_run_and_gets_the_rest_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(tmp_path / "machine", monkeypatch)
    with ScriptedStore() as store, ScriptedServer(reply) as server:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        url, recipe = f"s3://{store.new_bucket()}/run", write_recipe(tmp_path, server.url)

        def say(request: dict[str, object]) -> list[str] | Fault:
            if server.count == 3:
                store.go_away()
            # Goes on once the run has noticed: what it asks for until then is in its journal.
            return Fault(status=503, retry_after=0.2) if server.count > 3 else reply(request)

        server.reply = say
        with pytest.raises(StoreError, match=r"does not answer.*is kept in .*run again on this"):
            work(recipe, at(url))
        asked = server.count
        store.come_back()
        server.reply = reply
        work(recipe, again := at(url))
        assert server.count - asked == REQUESTS - 3
        work(recipe, Run(tmp_path / "undisturbed"))
        become(tmp_path / "reader", monkeypatch)
        assert rows(Run.at(url)) == rows(Run(tmp_path / "undisturbed")) == rows(again)
