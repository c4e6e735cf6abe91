"""A teacher that makes native tool calls, from the first request to the rows of SFT trainers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curation.dialects.base import IMAGE
from curation.errors import RecipeError
from curation.exporters.checks import joined
from curation.funnel import read_funnel
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.rollouts.sampler import Sampler
from curation.runs import Run
from curation.stages.voices import arm_of
from tests.curation.scene import taught_recipe
from tests.scripted_server import Request, ScriptedServer, Text, images_of, text_of

TARGETS = ("llamafactory", "ms-swift", "trl", "verl-sft")


def native_recipe(model: str) -> str:
    exports = "".join(f'[[exports]]\ntarget = "{target}"\n' for target in TARGETS)
    taught = taught_recipe(model, teach='attempts = 2\ndialect = "openai"')
    return f'{taught}[[tools]]\nuse = "zoom"\n{exports}'


def call(name: str, **arguments: object) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": "of the server", "type": "function", "function": function}


def reply(request: Request) -> list[Text]:
    """One attempt zooms, computes and answers; the other asks for two things at once."""
    found = re.search(r"What is (\d+) plus (\d+)\?", text_of(request))
    assert found is not None
    left, right = int(found[1]), int(found[2])
    if "tools" not in request:
        return [f"<answer>{left + right if attempt else -1}</answer>" for attempt in range(2)]
    zoom = call("zoom", bbox_2d=[2, 2, 44, 50])
    code = call("python", code=f"print({left} + {right})")
    roles = [message["role"] for message in request["messages"]]
    if "tool" not in roles:
        thought = {"content": "<think>Look closer.</think>"}
        return [thought | {"tool_calls": [zoom]}, thought | {"tool_calls": [zoom, code]}]
    if roles.count("tool") == 1:
        return [{"content": "<think>Add them.</think>\n\n", "tool_calls": [code]}]
    return [f"\n<think>It says {left + right}.</think>\n<answer>{left + right}</answer>\n"]


def test_native_calls_become_rows_that_every_sft_trainer_takes(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with ScriptedServer(reply) as server:
        recipe = parse_recipe(native_recipe(f'url = "{server.url}"'), "native")
        run_recipe(recipe, run, Silent())
    asked = [request for request in server.requests if "tools" in request]
    assert all(request["parallel_tool_calls"] is False for request in asked)
    assert {each["function"]["name"] for each in asked[0]["tools"]} == {"python", "zoom"}
    last = next(each for each in asked if len(each["messages"]) == 7)
    roles = ["system", "user", "assistant", "tool", "user", "assistant", "tool"]
    assert [message["role"] for message in last["messages"]] == roles
    assert len(images_of(last)) == 2 and "<tool_call>" not in json.dumps(last)
    reasons = run.value("""SELECT list(DISTINCT concat_ws(' ', stop_reason, error))
                           FROM rollouts WHERE arm = 'teacher'""")
    assert sorted(reasons) == ["answered", "parse_error two_calls"]
    assert run.value("SELECT count(*) FROM trajectories WHERE dialect = 'openai'") == 3
    lines = {label: sum(counts.values()) for label, counts in read_funnel(run).lines}
    assert lines["ended: parse_error"] == 3
    for target in TARGETS:
        assert lines[f"exported: {target}"] == 3
        check_rows(run.export_path(target))


def check_rows(folder: Path) -> None:
    """System, then user and assistant by turns; every image has its place, every call its text."""
    for shard in folder.glob("*.parquet"):
        for row in pq.read_table(shard).to_pylist():
            turns = [(m["role"], joined(m["content"])) for m in row["messages"]]
            assert [role for role, _ in turns] == ["system", *("user", "assistant") * 3]
            assert "<tools>\n" in turns[0][1]
            assert [text.count(IMAGE) for _, text in turns] == [0, 1, 0, 1, 0, 0, 0]
            assert len(row["images"]) == 2
            assert turns[2][1].startswith("<think>Look closer.</think>\n<tool_call>\n")
            assert turns[-1][1].endswith("</answer>")


@pytest.mark.parametrize(
    ("model", "mistake"),
    [
        ("embedded = true", "the embedded model does not know"),
        ('serve = "some/model"', r'add serve_arguments = \["--enable-auto-tool-choice"'),
    ],
)
def test_a_server_that_would_not_read_calls_is_told_before_it_is_started(
    model: str, mistake: str
) -> None:
    recipe = parse_recipe(native_recipe(model), "native")
    with pytest.raises(RecipeError, match=mistake):
        Sampler.of("teacher", arm_of(recipe, "teacher"), recipe.policy, "model", recipe)
