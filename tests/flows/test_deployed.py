"""Against a real Prefect server: deploy, a schedule, a worker that is killed, and the run after it.

Nothing here waits for a number of seconds: it waits for states, however slow the machine is.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Crashed

from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import load_recipe
from curation.runs import Run
from tests.curation.scene import reply
from tests.flows.small import write_small
from tests.scripted_server import Fault, Request, ScriptedServer, images_of

ROOT = Path(__file__).parents[2]
PATIENCE = 900.0
"""Seconds; only a machine that does nothing at all takes so long."""
T = TypeVar("T")

pytestmark = [
    pytest.mark.timeout(2 * PATIENCE),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


class Stuck:
    """A model that does not come to an end with questions without an image, until it is mended."""

    def __init__(self) -> None:
        self.reached, self.mended = threading.Event(), threading.Event()

    def __call__(self, request: Request) -> Sequence[str] | Fault:
        if images_of(request) or self.mended.is_set():
            return reply(request)
        self.reached.set()
        return Fault(stall=True)


def environment(home: Path, port: int) -> dict[str, str]:
    own = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
        # As a shell in the root of the repository has them.
        "PWD": str(ROOT),
        "PYTHONPATH": str(ROOT),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | own


def prefect(*arguments: str, env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def running(log: Path, *arguments: str, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A `prefect` command that goes on until it is killed with all that it started."""
    command = [sys.executable, "-m", "prefect", *arguments]
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield process
        finally:
            kill(process.pid)


def kill(pid: int) -> None:
    """SIGKILL to a process and all below it, as when a machine is lost."""
    for each in (pid, *children(pid)):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue


def children(pid: int) -> list[int]:
    """All processes below one, by what the kernel says of their parents."""
    own = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == pid:
            own.append(int(stat.parent.name))
    return [*own, *(below for child in own for below in children(child))]


def wait(what: Callable[[], T | None], *, log: Path) -> T:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError(f"it did not happen: {log.read_text()[-4000:]}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10):
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of clients of a Prefect server."""
    port = free_port()
    env = environment(tmp_path / "prefect", port)
    log = tmp_path / "server.log"
    with running(log, "server", "start", "--no-ui", "--port", str(port), env=env):
        wait(lambda: healthy(env["PREFECT_API_URL"]) or None, log=log)
        yield env


def project(folder: Path, recipe: Path, run: Path) -> Path:
    """The project file as it ships, but for another recipe and a schedule that does not wait."""
    text = (ROOT / "flows" / "prefect.yaml").read_text()
    shipped = yaml.safe_load(text)
    for deployment in shipped["deployments"]:
        deployment["parameters"] = {"recipe": str(recipe), "run": str(run)}
        deployment["schedules"] = []
    shipped["deployments"][0]["schedules"] = [{"interval": 10, "active": True}]
    path = folder / "prefect.yaml"
    path.write_text(yaml.safe_dump(shipped))
    return path


def runs_in(client: SyncPrefectClient, state: StateType) -> list[FlowRun]:
    return [run for run in client.read_flow_runs() if run.state and run.state.type == state]


def rollouts(run: Run) -> list[tuple[Any, ...]]:
    with run.connect() as db:
        return db.sql(
            "SELECT rollout_id, sample_id, arm, attempt FROM rollouts ORDER BY 1"
        ).fetchall()


def test_a_scheduled_run_whose_worker_was_killed_is_gone_on_with(
    tmp_path: Path, server: dict[str, str]
) -> None:
    model = Stuck()
    run = Run(tmp_path / "night")
    log = tmp_path / "worker.log"
    work = ("worker", "start", "--pool", "toolsight", "--type", "process")
    with ScriptedServer(model) as policy, SyncPrefectClient(server["PREFECT_API_URL"]) as client:
        recipe = write_small(tmp_path, policy.url)
        prefect("work-pool", "create", "toolsight", "--type", "process", env=server)
        shipped = str(project(tmp_path, recipe, run.path))
        prefect("deploy", "--prefect-file", shipped, "--all", env=server)
        named = {deployment.name: deployment for deployment in client.read_deployments()}
        assert named.keys() == {"nightly", "weekly", "six-hourly"}
        nightly = named["nightly"]
        (pull,) = nightly.pull_steps or ()
        assert pull["prefect.deployments.steps.set_working_directory"]["directory"] == str(ROOT)
        with pytest.raises(PrefectHTTPStatusError, match="recipe"):
            client.create_flow_run_from_deployment(
                nightly.id, parameters={"recipe": ["no", "path"]}
            )

        with running(log, *work, env=server):
            wait(lambda: model.reached.is_set() or None, log=log)
        (killed,) = runs_in(client, StateType.RUNNING)
        direct = len([request for request in policy.requests if images_of(request)])

        model.mended.set()
        # What `flows/zombies.yaml` does when a run's heartbeats stay away.
        client.set_flow_run_state(
            killed.id, Crashed(message="its heartbeats stay away"), force=True
        )
        with running(log, *work, env=server):
            finished = wait(lambda: runs_in(client, StateType.COMPLETED), log=log)
        assert killed.id not in {each.id for each in finished}
        assert len([request for request in policy.requests if images_of(request)]) == direct
        keys = {artifact.key for artifact in client.read_artifacts()}
        assert keys == {f"{kind}-night" for kind in ("stages", "funnel", "cost", "spent", "report")}

        without = Run(tmp_path / "without")
        run_recipe(load_recipe(recipe), without, Silent())
    assert rollouts(run) == rollouts(without)
    assert run.manifest_path.exists()
