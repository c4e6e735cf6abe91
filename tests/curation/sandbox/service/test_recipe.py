"""A recipe whose code runs on a node."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.check import check_recipe
from curation.errors import SandboxError
from curation.manifest import read_manifest
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import load_recipe
from curation.runs import Run
from tests.curation.sandbox.service.node import LIMITS, ServiceNode
from tests.curation.scene import recipe_text, reply
from tests.scripted_server import ScriptedServer

NOWHERE = "http://127.0.0.1:1"


def write(folder: Path, model: str, *nodes: str) -> Path:
    limits = "".join(f"{name} = {value}\n" for name, value in LIMITS.items())
    settings = f'backend = "remote"\nurls = {[*nodes]}\ncell_seconds = 20.0\n{limits}'
    path = folder / "scene.toml"
    path.write_text(recipe_text(model, 6).replace("cell_seconds = 120.0\n", settings))
    return path


def test_a_whole_run_with_its_code_on_a_node(node: ServiceNode, tmp_path: Path) -> None:
    with ScriptedServer(reply) as server:
        path = write(tmp_path, server.url, NOWHERE, node.url)
        assert "sandbox: 1 of 2 nodes answer and are isolated" in list(check_recipe(path))
        run = Run(tmp_path / "run")
        run_recipe(load_recipe(path), run, Silent())
    assert run.value("SELECT count(*) FROM rollouts WHERE arm = 'tools' AND len(turns) > 1") > 0
    assert run.value("SELECT count(*) FROM trajectories") > 0
    assert read_manifest(run).sandbox[f"{node.url} network"] == "PermissionError"
    resolved = load_recipe(run.recipe_path).sandbox
    assert (resolved.backend, resolved.urls) == ("remote", (NOWHERE, node.url))


def test_a_check_finds_nodes_that_do_not_answer(tmp_path: Path) -> None:
    with ScriptedServer(reply) as server:
        path = write(tmp_path, server.url, NOWHERE)
        with pytest.raises(SandboxError, match="no sandbox node answers"):
            list(check_recipe(path))
