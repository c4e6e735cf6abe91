"""The managed server: what it refuses, how it restarts and that it leaves nothing behind."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.errors import ServerError
from curation.models import ManagedServer
from curation.models.engine_log import last_error
from curation.models.server import check_processor

ENGINE = Path(__file__).with_name("fake_engine.py")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A serving environment whose Python runs the fake engine."""
    folder = tmp_path / "environment"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ENGINE}" "{folder}" "$@"\n')
    python.chmod(0o755)
    (folder / "toolsight.json").write_text('{"device": "cpu"}')
    return folder


def pids(environment: Path) -> list[int]:
    """Processes of the last start: the engine and its child."""
    return [int(pid) for pid in (environment / "pids").read_text().split("\n")[-2].split()]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_the_server_is_up_inside_and_gone_outside(environment: Path, tmp_path: Path) -> None:
    with ManagedServer("org/model", environment=environment, log=tmp_path / "log") as server:
        running = pids(environment)
        assert all(map(is_alive, running))
        assert server.url == f"http://127.0.0.1:{server.port}/v1"
    assert not any(map(is_alive, running))


def test_the_server_is_gone_after_an_exception(environment: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        ManagedServer("org/model", environment=environment, log=tmp_path / "log"),
    ):
        raise KeyError
    assert not any(map(is_alive, pids(environment)))


def test_the_engine_is_told_what_to_serve(environment: Path, tmp_path: Path) -> None:
    server = ManagedServer(
        "org/model",
        environment=environment,
        log=tmp_path / "log",
        media_root=tmp_path,
        max_model_len=9000,
        mm_processor_kwargs={"max_pixels": 7056},
        arguments=["--dtype", "float32"],
    )
    with server:
        pass
    arguments = json.loads((environment / "arguments.json").read_text())
    assert arguments == server.command()[1:]
    options = dict(itertools.pairwise(arguments))
    assert options["--model"] == options["--served-model-name"] == "org/model"
    assert options["--allowed-local-media-path"] == str(tmp_path)
    assert options["--mm-processor-kwargs"] == '{"max_pixels": 7056}'
    assert options["--max-model-len"] == options["--max-num-batched-tokens"] == "9000"
    assert arguments[-2:] == ["--dtype", "float32"]


def test_only_a_cpu_engine_gets_the_settings_of_one(environment: Path) -> None:
    (environment / "toolsight.json").write_text('{"device": "cuda"}')
    command = ManagedServer("org/model", environment=environment).command()
    assert "--enforce-eager" not in command
    assert "--no-enable-chunked-prefill" not in command


def test_a_server_that_dies_comes_back_on_its_port(environment: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ManagedServer("org/model", environment=environment, log=log, restarts=1) as server:
        first = pids(environment)
        os.kill(first[0], signal.SIGKILL)
        assert eventually(lambda: pids(environment) != first and server.is_healthy())
        assert server.restarted == 1
        second = pids(environment)
        os.kill(second[0], signal.SIGKILL)
        assert eventually(lambda: not server.is_running())
    assert pids(environment) == second
    assert not any(map(is_alive, [*first, *second]))


def test_a_killed_parent_leaves_no_orphans(environment: Path, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from curation.models import ManagedServer\n"
        "with ManagedServer('org/model', environment=Path(sys.argv[1]), log=Path(sys.argv[2])):\n"
        "    print('up', flush=True); time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, str(environment), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        running = pids(environment)
        parent.kill()
    assert eventually(lambda: not any(map(is_alive, running)))


def test_a_server_that_does_not_come_up_says_why(environment: Path, tmp_path: Path) -> None:
    (environment / "fail").touch()
    log = tmp_path / "log"
    with (
        pytest.raises(ServerError) as caught,
        ManagedServer("org/model", environment=environment, log=log),
    ):
        pass
    assert "stopped while it was starting: ValueError: no such layer" in str(caught.value)
    assert str(log) in str(caught.value)


def test_a_missing_environment_names_the_command(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match="run `make serve-env`"),
        ManagedServer("org/model", environment=tmp_path / "none"),
    ):
        pass


def test_a_port_in_use_is_named(environment: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with (
            pytest.raises(ServerError, match=f"Port {port} of this machine is not free"),
            ManagedServer("org/model", environment=environment, port=port),
        ):
            pass


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_holds_no_model(environment: Path, tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "model"
    if exists:
        folder.mkdir()
    with (
        pytest.raises(ServerError, match=f"model.* {folder}"),
        ManagedServer(folder, environment=environment),
    ):
        pass


def test_a_processor_without_avx2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    description = tmp_path / "cpuinfo"
    description.write_text("flags : fpu sse4_2 avx\n")
    with pytest.raises(ServerError, match="no AVX2"):
        check_processor(description)
    description.write_text("flags : fpu sse4_2 avx avx2\n")
    check_processor(description)


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("", "its log is empty"),
        ("INFO starting\nKilled\n", "Killed"),
        (
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
            "  Value error, Model architectures ['Foo'] are not supported\n    For further\n",
            "Value error, Model architectures ['Foo'] are not supported",
        ),
        (
            "(Worker pid=9) ERROR 11-21 12:08:31 [multiproc_executor.py:953] AssertionError\n"
            "Exception: WorkerProc initialization failed. See stack trace for root cause.\n",
            "AssertionError",
        ),
        (
            "api_server.py: error: unrecognized arguments: --nonsense\n",
            "api_server.py: error: unrecognized arguments: --nonsense",
        ),
    ],
)
def test_the_cause_is_found_in_the_log(tmp_path: Path, log: str, cause: str) -> None:
    path = tmp_path / "log"
    path.write_text(log)
    assert last_error(path) == cause
