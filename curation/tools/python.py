"""Python as a tool, for dialects in which code is a function's argument."""

from __future__ import annotations

from curation.errors import ToolError
from curation.tools.base import ToolResult, Workspace


async def python(workspace: Workspace, code: str) -> ToolResult:
    """Run Python and see what it prints and shows. Variables are kept between calls.

    The images are open as the PIL images `image_1`, `image_2`, and so on, at their original size.

    Args:
        code: The code of one cell.
    """
    if workspace.kernel is None:
        raise ToolError("there is no interpreter in this conversation")
    cell = await workspace.kernel.run(code)
    if cell.stderr:
        raise ToolError(f"{cell.stdout}{cell.stderr}")
    return ToolResult(cell.stdout or cell.result or "", cell.images)
