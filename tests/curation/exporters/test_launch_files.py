"""The files that start a trainer: they name what is there, and they run."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml  # type: ignore[import-untyped]
from PIL import Image as Pillow

from curation.dialects import get_dialect
from curation.exporters import ExportRow, ExportSettings, write_export

MakeRow = Callable[..., ExportRow]
Export = Callable[..., Path]


@pytest.fixture
def export(tmp_path: Path, make_row: MakeRow) -> Export:
    """An export of several shards, in a folder whose name needs quoting."""

    def make(target: str) -> Path:
        out = tmp_path / "my exports" / target
        rows = (make_row(target, number) for number in range(40))
        settings = ExportSettings(group_rows=2, shard_bytes=60_000, group_bytes=20_000)
        write_export(target, rows, out, settings)
        assert len(list(out.glob("train-*.parquet"))) > 1
        return out

    return make


def launched(script: Path, tmp_path: Path, *arguments: str) -> dict[str, str]:
    """What the script passes on as KEY=VALUE."""
    lines = passed(script, tmp_path, *arguments)
    return dict(line.split("=", 1) for line in lines if "=" in line)


def passed(script: Path, tmp_path: Path, *arguments: str) -> list[str]:
    """Runs the script with programs that print their arguments."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python3", "torchrun", "swift"):
        (programs / name).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        (programs / name).chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(script), *arguments], env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("target", ["deepeyes", "deepeyes-v2", "verl", "verl-sft"])
def test_script_passes_every_shard_and_what_it_is_called_with(
    tmp_path: Path, export: Export, target: str
) -> None:
    out = export(target)
    keys = launched(out / "train.sh", tmp_path, "trainer.nnodes=3")
    files = keys["data.train_files"].strip("[]").split(",")
    assert files == [str(path) for path in sorted(out.glob("train-*.parquet"))]
    assert keys["trainer.nnodes"] == "3"
    assert keys["data.truncation"] == "error"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("deepeyes", {"actor_rollout_ref.rollout.agent.tool_name_key": "env_name"}),
        (
            "deepeyes-v2",
            {
                "actor_rollout_ref.rollout.agent.tool_name_key": "env_name",
                "actor_rollout_ref.rollout.agent.custom_stop": '["</code>","</tool_call>"]',
            },
        ),
        ("verl", {"actor_rollout_ref.rollout.multi_turn.format": "hermes"}),
    ],
)
def test_rl_script_has_the_keys_of_the_contract(
    tmp_path: Path, export: Export, target: str, expected: dict[str, str]
) -> None:
    keys = launched(export(target) / "train.sh", tmp_path)
    common = {
        "data.return_raw_chat": "True",
        "data.image_key": "images",
        "data.filter_overlong_prompts": "True",
        "data.max_prompt_length": "8192",
    }
    assert (common | expected).items() <= keys.items()


def test_llamafactory_info_names_real_files_and_columns(export: Export) -> None:
    out = export("llamafactory")
    info: dict[str, dict[str, Any]] = json.loads((out / "dataset_info.json").read_text())
    names = sorted(path.name for path in out.glob("train-*.parquet"))
    assert sorted(entry["file_name"] for entry in info.values()) == names
    for entry in info.values():
        rows = pq.read_table(out / entry["file_name"]).to_pylist()
        assert set(entry["columns"].values()) <= set(rows[0])
        tags = entry["tags"]
        turns = rows[0][entry["columns"]["messages"]]
        assert all({tags["role_tag"], tags["content_tag"]} <= set(turn) for turn in turns)
        roles = {turn[tags["role_tag"]] for turn in turns}
        assert roles == {tags["system_tag"], tags["user_tag"], tags["assistant_tag"]}
        assert entry["formatting"] == "sharegpt"


def test_pairs_are_registered_as_a_ranking(export: Export) -> None:
    out = export("llamafactory-dpo")
    info: dict[str, dict[str, Any]] = json.loads((out / "dataset_info.json").read_text())
    for entry in info.values():
        assert entry["ranking"] is True
        row = pq.read_table(out / entry["file_name"]).to_pylist()[0]
        assert {row[entry["columns"][side]]["role"] for side in ("chosen", "rejected")} == {
            "assistant"
        }
    config = yaml.safe_load((out / "train.yaml").read_text())
    assert (config["stage"], config["dataset"].split(",")) == ("dpo", list(info))


def test_swift_compares_every_reply_of_a_pair(tmp_path: Path, export: Export) -> None:
    out = export("ms-swift-dpo")
    words = passed(out / "train.sh", tmp_path, "--model", "mine")
    assert words[:5] == ["rlhf", "--rlhf_type", "dpo", "--loss_scale", "default"]
    shards = [str(path) for path in sorted(out.glob("train-*.parquet"))]
    first = words.index("--dataset") + 1
    assert words[first : first + len(shards)] == shards
    assert words[-2:] == ["--model", "mine"]


def test_llamafactory_configuration_trains_on_every_shard(export: Export) -> None:
    out = export("llamafactory")
    config = yaml.safe_load((out / "train.yaml").read_text())
    info = json.loads((out / "dataset_info.json").read_text())
    assert config["dataset"].split(",") == list(info)
    assert config["template"] == "qwen2_vl"


def test_verl_tool_has_the_schema_that_the_prompt_shows(export: Export) -> None:
    config = yaml.safe_load((export("verl") / "zoom_tool.yaml").read_text())
    (tool,) = config["tools"]
    assert tool["class_name"] == "zoom_tool.ZoomTool"
    assert tool["config"] == {"type": "native"}
    assert tool["tool_schema"]["function"]["name"] == "image_zoom_in_tool"
    assert json.dumps(tool["tool_schema"]) in get_dialect("deepeyes").opening("", 0)[0].content


class Response:
    """Stands in for verl's ToolResponse."""

    def __init__(self, text: str | None = None, image: list[Pillow.Image] | None = None) -> None:
        self.text, self.image = text, image


@pytest.fixture
def zoom(export: Export, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], Response]:
    """The exported tool on a 200 x 100 image, loaded against verl's two names that it uses."""
    base, schemas = types.ModuleType("verl.tools.base_tool"), types.ModuleType("verl.tools.schemas")
    vars(base)["BaseTool"] = object
    vars(schemas)["ToolResponse"] = Response
    for module in (types.ModuleType("verl"), types.ModuleType("verl.tools"), base, schemas):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    names: dict[str, Any] = {}
    exec((export("verl") / "zoom_tool.py").read_text(), names)
    agent = types.SimpleNamespace(image_data=[Pillow.new("RGB", (200, 100))])

    def run(box: object) -> Response:
        tool = names["ZoomTool"]()
        call = tool.execute("id", {"bbox_2d": box}, agent_data=agent)
        response, reward, _ = asyncio.run(call)
        assert reward == 0.0
        assert isinstance(response, Response)
        return response

    return run


def test_verl_tool_crops_inside_the_image(zoom: Callable[[object], Response]) -> None:
    image = zoom([10, 20, 400, 90]).image
    assert image is not None
    assert [crop.size for crop in image] == [(190, 70)]


@pytest.mark.parametrize("box", [None, [1, 2], "box", [0, 0, 30, 100], [150, 10, 20, 90]])
def test_verl_tool_tells_the_model_of_a_bad_box(
    zoom: Callable[[object], Response], box: object
) -> None:
    response = zoom(box)
    assert response.image is None
    assert response.text is not None
    assert response.text.startswith("Error: bbox_2d")


@pytest.mark.parametrize(
    ("reply", "truth", "reward"),
    [
        ("<think>a</think><answer>Blue.</answer>", "blue", 1.0),
        ("<think>a</think><answer>1,200</answer>", "1200.0", 1.0),
        ("<think><answer>blue</answer></think>", "blue", 0.0),
        ("<think>a</think>blue", "blue", 0.0),
        ("<answer>red</answer>", "blue", 0.0),
    ],
)
def test_verl_reward_reads_the_last_answer(
    export: Export, reply: str, truth: str, reward: float
) -> None:
    names: dict[str, Any] = {}
    exec((export("verl") / "reward.py").read_text(), names)
    assert names["compute_score"]("toolsight/chart", reply, truth, {"question": "?"}) == reward
