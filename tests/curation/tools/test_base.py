"""Schemas come from signatures, and calls are checked against them."""

from __future__ import annotations

import pytest

from curation.errors import ToolError
from curation.tools import Tool, ToolResult, Workspace, call_tool, tool_schema, toolbox, zoom


def count(
    workspace: Workspace, what: str, at_most: int = 5, exact: bool = False, *, seed: int = 0
) -> ToolResult:
    """Count things.

    Not shown to the model.

    Args:
        what: The things,
            named in the plural.
        at_most: Stop there.
    """
    return ToolResult(text=f"{what} {at_most} {exact} {seed}")


async def wait(workspace: Workspace, for_what: str) -> ToolResult:
    """Wait for something."""
    return ToolResult(f"waited for {for_what}")


TOOLS = {"count": Tool("count", count, {"seed": 7}), "wait": Tool("wait", wait)}


def test_schema_of_a_function() -> None:
    assert tool_schema(count, name="count_things") == {
        "type": "function",
        "function": {
            "name": "count_things",
            "description": "Count things.",
            "parameters": {
                "type": "object",
                "properties": {
                    "what": {"type": "string", "description": "The things, named in the plural."},
                    "at_most": {"type": "integer", "description": "Stop there."},
                    "exact": {"type": "boolean", "description": ""},
                },
                "required": ["what"],
            },
        },
    }


def test_schema_of_zoom_is_what_deepeyes_shows() -> None:
    function = tool_schema(zoom, name="image_zoom_in_tool")["function"]
    assert isinstance(function, dict)
    properties = function["parameters"]["properties"]
    assert list(properties) == ["bbox_2d", "label"]
    assert properties["bbox_2d"]["items"] == {"type": "number"}
    assert function["parameters"]["required"] == ["bbox_2d"]


def test_type_without_a_schema_is_a_bug() -> None:
    def tool(workspace: Workspace, what: set[int]) -> ToolResult:
        return ToolResult()

    with pytest.raises(TypeError, match="no JSON schema"):
        tool_schema(tool)


async def test_call_passes_what_the_model_gave_and_the_recipes_settings() -> None:
    result = await call_tool(TOOLS, Workspace(), "count", {"what": "cats", "at_most": 2})
    assert result == ToolResult(text="cats 2 False 7")


async def test_tool_may_wait() -> None:
    result = await call_tool(TOOLS, Workspace(), "wait", {"for_what": "rain"})
    assert result == ToolResult("waited for rain")


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("counts", {}, "no tool is called 'counts': the tools are count, wait"),
        ("count", {}, "count needs 'what'"),
        ("count", {"what": "cats", "seed": 1}, "count does not take 'seed'"),
        ("count", {"what": 3}, "count needs 'what' as string"),
        ("count", {"what": "cats", "at_most": True}, "count needs 'at_most' as integer"),
        ("count", {"workspace": None}, "count does not take 'workspace' and needs 'what'"),
    ],
)
async def test_call_that_does_not_fit_is_told(
    name: str, arguments: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ToolError, match=complaint):
        await call_tool(TOOLS, Workspace(), name, arguments)


async def test_deepeyes_tools_run_by_their_published_names() -> None:
    tools = toolbox("deepeyes", [Tool("count", count)])
    assert sorted(tools) == ["count", "image_rotate_tool", "image_zoom_in_tool"]
    with pytest.raises(ToolError, match="no image"):
        await call_tool(tools, Workspace(), "image_zoom_in_tool", {"bbox_2d": [0, 0, 9, 9]})
