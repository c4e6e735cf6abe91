"""Schemas come from signatures, and calls are checked against them."""

from __future__ import annotations

import pytest

from curation.errors import ToolError
from curation.tools import DEEPEYES_TOOLS, ToolResult, Workspace, call_tool, tool_schema, zoom


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


TOOLS = {"count": count}


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


def test_call_passes_what_the_model_gave() -> None:
    assert call_tool(TOOLS, Workspace(), "count", {"what": "cats", "at_most": 2}) == ToolResult(
        text="cats 2 False 0"
    )


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("counts", {}, "no tool is called 'counts': the tools are count"),
        ("count", {}, "count needs 'what'"),
        ("count", {"what": "cats", "seed": 1}, "count does not take 'seed'"),
        ("count", {"workspace": None}, "count does not take 'workspace' and needs 'what'"),
    ],
)
def test_call_that_does_not_fit_is_told(
    name: str, arguments: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ToolError, match=complaint):
        call_tool(TOOLS, Workspace(), name, arguments)


def test_deepeyes_tools_run_by_their_published_names() -> None:
    with pytest.raises(ToolError, match="no image"):
        call_tool(DEEPEYES_TOOLS, Workspace(), "image_zoom_in_tool", {"bbox_2d": [0, 0, 9, 9]})
