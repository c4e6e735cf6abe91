"""The tools that a model may call, and their schemas."""

from collections.abc import Iterable

from curation.tools.base import Tool, ToolFunction, ToolResult, Workspace, call_tool, tool_schema
from curation.tools.image import rotate, zoom

DEEPEYES_TOOLS = (Tool("image_zoom_in_tool", zoom), Tool("image_rotate_tool", rotate))
"""The tools of DeepEyes v1 by the names its environment knows; rotation is in no prompt."""


def toolbox(dialect: str, named: Iterable[Tool] = ()) -> dict[str, Tool]:
    """What can be called in a dialect: what its environment has, and what a recipe names."""
    own = DEEPEYES_TOOLS if dialect == "deepeyes" else ()
    return {tool.name: tool for tool in (*own, *named)}


__all__ = [
    "DEEPEYES_TOOLS",
    "Tool",
    "ToolFunction",
    "ToolResult",
    "Workspace",
    "call_tool",
    "rotate",
    "tool_schema",
    "toolbox",
    "zoom",
]
