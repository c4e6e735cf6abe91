"""A tool of one's own needs no more than a function and its name in the recipe."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from curation.errors import RecipeError, ToolError
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import load_recipe, parse_recipe, resolved
from curation.runs import Run
from curation.tools import ToolResult, Workspace
from tests.curation.scene import picture, recipe_text
from tests.scripted_server import ScriptedServer, images_of, text_of

ADD = """
[[tools]]
use = "tests.curation.test_named_tools:add"
offset = 100
"""


async def add(workspace: Workspace, numbers: list[int], *, offset: int = 0) -> ToolResult:
    """Add numbers.

    Args:
        numbers: What to add.
    """
    if not numbers:
        raise ToolError("there is nothing to add")
    shown = "" if workspace.origin_id else "no sample"
    return ToolResult(f"{shown}{sum(numbers) + offset} <image>", (picture(sum(numbers)),))


def untyped(workspace: Workspace, what: set[int]) -> ToolResult:
    """Has a parameter that JSON cannot say."""
    return ToolResult(str(what))


def reply(request: dict[str, Any]) -> list[str]:
    """Asks for a sum where it has the tool; only the teacher, which is cooler, believes it."""
    messages, n = request["messages"], request["n"]
    if "# Tools" not in messages[0]["content"]:
        return ["<answer>-1</answer>"] * n
    numbers = [int(number) for number in re.findall(r"(\d+) plus (\d+)", text_of(request))[0]]
    if len(messages) == 2:
        call = json.dumps({"name": "add", "arguments": {"numbers": numbers}})
        return [f"<think>Add.</think>\n<tool_call>\n{call}\n</tool_call>"] * n
    assert f"<tool_response>\n{sum(numbers) + 100} " in json.dumps(messages[-1]).replace(
        "\\n", "\n"
    )
    assert len(images_of(request)) == 2, "the image that the tool made was not shown"
    answer = sum(numbers) if request["temperature"] < 1 else -1
    return [f"<think>Done.</think>\n<answer>{answer}</answer>"] * n


def test_a_named_tool_is_offered_called_recorded_replayed_and_exported(tmp_path: Path) -> None:
    with ScriptedServer(reply) as server:
        run = Run(tmp_path / "run")
        recipe = parse_recipe(recipe_text(server.url, 4) + ADD, "named")
        run_recipe(recipe, run, Silent())
    system = recipe.dialect("deepeyes-v2").opening("", 1)[0].content
    assert '"name": "add"' in system
    assert "offset" not in system
    call = run.value("SELECT min(turns[1].call) FROM rollouts WHERE arm = 'tools'")
    assert (call["name"], call["arguments"]) == ("add", '{"numbers": [0, 0]}')
    assert call["text"] == "<tool_response>\n100 <image>\n</tool_response>"
    assert run.value("""SELECT bool_and(passed) FROM verifications WHERE "check" = 'replay'""")
    shown = run.value("SELECT min(messages[1].content) FROM trajectories")
    assert '"name": "add"' in shown


def test_the_run_keeps_the_tool_in_its_recipe(tmp_path: Path) -> None:
    recipe = parse_recipe(recipe_text("http://127.0.0.1:1") + ADD, "named")
    path = tmp_path / "again.toml"
    path.write_text(resolved(recipe))
    assert load_recipe(path).tools == recipe.tools


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('use = "serach"', "no tool 'serach'"),
        ('use = "tests.curation.test_named_tools:add"\nofset = 1', "no setting 'ofset'"),
        ('use = "tests.curation.test_named_tools:untyped"', "no JSON schema"),
        ('use = "rotate"\nname = "image_zoom_in_tool"', "two tools are named 'image_zoom_in_tool'"),
    ],
)
def test_a_tool_that_cannot_be_offered_is_refused(table: str, complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        parse_recipe(recipe_text("http://127.0.0.1:1") + f"[[tools]]\n{table}\n", "named")
