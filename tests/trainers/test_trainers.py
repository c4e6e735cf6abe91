"""Exports of a run, loaded by the trainers' own classes: every row in is every row out.

Needs the environments of `python -m tests.trainers.environments`; `make test-trainers` runs both.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.embedded import CHECKPOINT
from curation.exporters import check_exports
from curation.exporters.manifest import read_manifest
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from tests.curation.scene import recipe_text, reply
from tests.scripted_server import ScriptedServer
from tests.trainers.environments import python

pytestmark = pytest.mark.trainers

LOADERS = Path(__file__).parent / "loaders"
TARGETS = ("deepeyes", "deepeyes-v2", "verl", "verl-sft", "llamafactory", "ms-swift", "trl", "hub")
CASES = [
    ("verl", "verl", "verl_rl"),
    # The forks are on no registry; verl reads the columns that they share with it.
    ("deepeyes", "verl", "verl_rl"),
    ("deepeyes-v2", "verl", "verl_rl"),
    ("verl-sft", "verl", "verl_sft"),
    ("llamafactory", "llamafactory", "llamafactory"),
    ("ms-swift", "llamafactory", "ms_swift"),
    ("trl", "llamafactory", "trl"),
]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every target of one run over the scene, several shards each."""
    tables = [
        f'[[exports]]\ntarget = "{target}"\ngroup_rows = 2\ngroup_bytes = 100_000\n'
        "shard_bytes = 300_000"
        for target in TARGETS
    ]
    with ScriptedServer(reply) as server:
        text = recipe_text(server.url, 54).split("[[exports]]")[0] + "\n".join(tables)
        run = Run(tmp_path_factory.mktemp("trainers") / "run")
        run_recipe(parse_recipe(text, "trainers"), run, Silent())
        yield run.export_path("")


def load(name: str, loader: str, folder: Path, scratch: Path) -> dict[str, float]:
    """What a loader says of an export, run by its trainer's Python."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(scratch),
        "MODELSCOPE_CACHE": str(scratch),
        "PYTHONWARNINGS": "ignore",
    }
    environment.pop("PYTHONPATH", None)
    command = [str(python(name)), str(LOADERS / f"load_{loader}.py"), str(folder), str(CHECKPOINT)]
    done = subprocess.run(
        command, cwd=scratch, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize(("target", "name", "loader"), CASES)
def test_every_row_arrives(
    exports: Path, tmp_path: Path, target: str, name: str, loader: str
) -> None:
    folder = exports / target
    assert list(check_exports([folder])) == []
    told = load(name, loader, folder, tmp_path)
    assert told["rows"] == read_manifest(folder).rows > 0
    assert math.isfinite(told["logits"])
