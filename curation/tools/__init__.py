"""The tools that a model may call, and their schemas."""

from curation.tools.base import Tool, ToolResult, Workspace, call_tool, tool_schema
from curation.tools.image import rotate, zoom

DEEPEYES_TOOLS: dict[str, Tool] = {"image_zoom_in_tool": zoom, "image_rotate_tool": rotate}
"""The tools of DeepEyes v1 by the names its environment knows; rotation is in no prompt."""

__all__ = [
    "DEEPEYES_TOOLS",
    "Tool",
    "ToolResult",
    "Workspace",
    "call_tool",
    "rotate",
    "tool_schema",
    "zoom",
]
