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
from typing import Any

import pytest

from curation.embedded import CHECKPOINT
from curation.exporters import check_exports, get_target, write_export
from curation.exporters.manifest import read_manifest
from curation.exporters.settings import ExportSettings
from curation.images import ImageStore
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import load_recipe, parse_recipe
from curation.recipes.recipe import Export
from curation.runs import Run
from curation.stages.export import export_rows
from tests.bench.export import examples, fill
from tests.curation.scene import recipe_text, reply
from tests.scripted_server import Fault, ScriptedServer
from tests.trainers import environments

pytestmark = pytest.mark.trainers

LOADERS = Path(__file__).parent / "loaders"
CASES = {
    "verl": ("verl", "verl_rl"),
    # The forks are on no registry; verl reads the columns that they share with it.
    "deepeyes": ("verl", "verl_rl"),
    "deepeyes-v2": ("verl", "verl_rl"),
    "verl-sft": ("verl", "verl_sft"),
    "llamafactory": ("llamafactory", "llamafactory"),
    "ms-swift": ("llamafactory", "ms_swift"),
    "trl": ("llamafactory", "trl"),
    "llamafactory-dpo": ("llamafactory", "llamafactory_dpo"),
    "ms-swift-dpo": ("llamafactory", "ms_swift_dpo"),
    "trl-dpo": ("verl", "trl_dpo"),
}
"""Environment and loader by target."""
FILES = [target for target in CASES if get_target(target).FILES]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every target of one run over the scene, several shards each."""
    tables = [
        f'[[exports]]\ntarget = "{target}"\ngroup_rows = 2\ngroup_bytes = 100_000\n'
        "shard_bytes = 300_000"
        for target in CASES
    ]
    with ScriptedServer(at_times_wrong) as server:
        text = recipe_text(server.url, 54).split("[[exports]]")[0] + "\n".join(tables)
        text = text.replace("attempts = 2", "attempts = 2\npairs = 2")
        run = Run(tmp_path_factory.mktemp("trainers") / "run")
        run_recipe(parse_recipe(text, "trainers"), run, Silent())
        yield run.export_path("")


@pytest.fixture(scope="module")
def demo() -> Run:
    """The demonstration run of `make run`: real data, rollouts of the embedded model."""
    run = Run(environments.ROOT / "runs" / "demo")
    assert run.recipe_path.exists(), "the demonstration has not run: make run"
    return run


def write(run: Run, target: str, out: Path, settings: ExportSettings) -> Path:
    """Another export of a run, beside its own."""
    chosen = Export(target, settings)
    write_export(target, export_rows(run, load_recipe(run.recipe_path), chosen), out, settings)
    return out


def at_times_wrong(request: dict[str, Any]) -> list[str] | Fault:
    """The scene's model, whose teacher misreads the crop in one of two attempts; at some samples
    both of them look at the same one."""
    replies = reply(request)
    odd = request["seed"] % 2 == 1
    if isinstance(replies, Fault) or request["temperature"] == 1:
        return replies
    if len(request["messages"]) == 2:
        return replies[:1] * len(replies) if odd else replies
    return ["<think>It says less.</think>\n<answer>-1</answer>"] if odd else replies


def load(name: str, loader: str, folder: Path, scratch: Path) -> dict[str, float]:
    """What a loader says of an export, run by its trainer's Python."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(scratch),
        "MODELSCOPE_CACHE": str(scratch),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",  # two loaders run at a time
        "ROOT_IMAGE_DIR": str(folder),  # as the `train.sh` for ms-swift sets it
    }
    environment.pop("PYTHONPATH", None)
    command = [
        str(environments.python(name)),
        str(LOADERS / f"load_{loader}.py"),
        str(folder),
        str(CHECKPOINT),
    ]
    done = subprocess.run(
        command, cwd=scratch, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def assert_every_row_arrives(target: str, folder: Path, scratch: Path) -> None:
    assert list(check_exports([folder])) == []
    told = load(*CASES[target], folder, scratch)
    assert told["rows"] == read_manifest(folder).rows > 0
    assert math.isfinite(told["logits"])


# The longest, so it begins.
def test_two_and_a_half_gigabytes_load(tmp_path: Path) -> None:
    """Beyond 2 GiB 32-bit offsets end, in both versions of `datasets`."""
    folder, store = tmp_path / "export", ImageStore(tmp_path / "images")
    fill(store, int(2.5 * 10**9))
    write_export("verl", examples(store), folder)
    for name in environments.PINS:
        assert load(name, "datasets", folder, tmp_path)["rows"] == rows_of(folder, "train") > 1000


@pytest.mark.parametrize("target", CASES)
def test_every_row_of_every_shard_arrives(scene: Path, tmp_path: Path, target: str) -> None:
    assert_every_row_arrives(target, scene / target, tmp_path)


@pytest.mark.parametrize("target", CASES)
def test_every_row_of_the_demonstration_arrives(demo: Run, tmp_path: Path, target: str) -> None:
    folder = write(demo, target, tmp_path / "export", ExportSettings())
    assert_every_row_arrives(target, folder, tmp_path)


@pytest.mark.parametrize("target", FILES)
def test_images_beside_the_shards_arrive(demo: Run, tmp_path: Path, target: str) -> None:
    folder = write(demo, target, tmp_path / "export", ExportSettings(images="files"))
    assert_every_row_arrives(target, folder, tmp_path)


@pytest.mark.parametrize("name", environments.PINS)
def test_the_data_set_for_the_hub_loads(demo: Run, tmp_path: Path, name: str) -> None:
    folder = write(demo, "hub", tmp_path / "export", ExportSettings(val_share=0.2))
    assert load(name, "datasets", folder, tmp_path)["rows"] == rows_of(folder, "train") > 0


def rows_of(folder: Path, split: str) -> int:
    return sum(shard.rows for shard in read_manifest(folder).shards if shard.split == split)
