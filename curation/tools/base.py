"""What a tool is: a typed function whose signature and docstring are the schema shown to a model.

    def zoom(workspace: Workspace, bbox_2d: list[float], label: str = "") -> ToolResult:
        \"\"\"Crops a region.

        Args:
            bbox_2d: The region as [x1, y1, x2, y2].
            label: What is to be seen there.
        \"\"\"

The first parameter is the rollout's workspace, which the model does not see; keyword-only
parameters are settings of the recipe, which it does not see either. A tool raises ToolError for
what the model should be told; any other exception is a bug.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from curation.errors import ToolError


@dataclass(slots=True)
class Workspace:
    """What the tools of one rollout work on."""

    images: list[bytes] = field(default_factory=list)
    """Encoded, at their original sizes; the question's first image is the first."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gives back."""

    text: str = ""
    images: tuple[bytes, ...] = ()
    """Encoded."""


Tool = Callable[..., ToolResult]

JSON_TYPES: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def call_tool(
    tools: Mapping[str, Tool], workspace: Workspace, name: str, arguments: Mapping[str, object]
) -> ToolResult:
    """Calls a tool as a model asked for it; raises ToolError where the call does not fit."""
    if name not in tools:
        raise ToolError(f"no tool is called {name!r}: the tools are {', '.join(sorted(tools))}")
    visible = _visible(tools[name])
    unknown = sorted(set(arguments) - set(visible))
    missing = [
        parameter.name
        for parameter in visible.values()
        if parameter.default is parameter.empty and parameter.name not in arguments
    ]
    if unknown or missing:
        wrong = [f"does not take {each!r}" for each in unknown]
        wrong += [f"needs {each!r}" for each in missing]
        raise ToolError(f"{name} {' and '.join(wrong)}")
    return tools[name](workspace, **arguments)


def tool_schema(function: Tool, *, name: str | None = None) -> dict[str, object]:
    """The function as OpenAI's tool schema; `name` replaces the function's own name.

    Raises TypeError for a parameter whose type has no JSON schema: that is a bug of the tool.
    """
    summary, descriptions = _docstring(function)
    hints = typing.get_type_hints(function)
    visible = _visible(function)
    properties = {
        each: _json_type(hints[each]) | {"description": descriptions.get(each, "")}
        for each in visible
    }
    required = [each for each, spec in visible.items() if spec.default is spec.empty]
    return {
        "type": "function",
        "function": {
            "name": name or function.__name__,
            "description": summary,
            "parameters": {"type": "object", "properties": properties, "required": required},
        },
    }


def _visible(function: Tool) -> dict[str, inspect.Parameter]:
    """The parameters that a model sees: all but the workspace and the settings."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return {each.name: each for each in parameters if each.kind is not each.KEYWORD_ONLY}


def _docstring(function: Tool) -> tuple[str, dict[str, str]]:
    """The first paragraph, and the descriptions under `Args:`."""
    text = inspect.getdoc(function) or ""
    summary = " ".join(text.partition("\n\n")[0].split())
    _, _, listed = text.partition("Args:\n")
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", listed.partition("\n\n")[0], re.M)
    return summary, {name: " ".join(said.split()) for name, said in entries}


def _json_type(hint: object) -> dict[str, object]:
    if isinstance(hint, types.GenericAlias) and typing.get_origin(hint) is list:
        return {"type": "array", "items": _json_type(typing.get_args(hint)[0])}
    if hint not in JSON_TYPES:
        raise TypeError(f"a tool's parameter cannot be of type {hint}: it has no JSON schema")
    return {"type": JSON_TYPES[hint]}
