"""What a tool is: a typed function whose signature and docstring are the schema shown to a model.

    def zoom(workspace: Workspace, bbox_2d: list[float], label: str = "") -> ToolResult:
        \"\"\"Crops a region.

        Args:
            bbox_2d: The region as [x1, y1, x2, y2].
            label: What is to be seen there.
        \"\"\"

The first parameter is the rollout's workspace, which the model does not see; keyword-only
parameters are settings of the recipe, which it does not see either. A tool that waits for something
is a coroutine function; others run in a thread. A tool raises ToolError for what the model should
be told; any other exception is a bug.

A recipe names it, `[[tools]] use = "my_package.module:function"`, and that is all.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import types
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from curation.errors import ToolError

if TYPE_CHECKING:
    from curation.sandbox import CellResult
    from curation.search.record import Record


class Kernel(Protocol):
    """The rollout's interpreter; its variables last as long as the rollout."""

    async def run(self, code: str) -> CellResult: ...


@dataclass(frozen=True, slots=True)
class Workspace:
    """What the tools of one rollout work on."""

    images: Sequence[bytes] = ()
    """Encoded, at their original sizes; the question's first image is the first."""
    origin_id: str = ""
    """The sample's id in its source, by which some records of searches are keyed."""
    kernel: Kernel | None = None
    record: Record | None = None
    """Of the run's searches; null where none is kept."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gives back."""

    text: str = ""
    """May say with `<image>` where each image stands; otherwise they follow the text."""
    images: tuple[bytes, ...] = ()
    """Encoded."""


ToolFunction = Callable[..., ToolResult | Awaitable[ToolResult]]

JSON_TYPES: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function under the name by which a model calls it, with the recipe's settings."""

    name: str
    function: ToolFunction
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def use(self) -> str:
        """The function as a recipe names it."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @property
    def schema(self) -> dict[str, object]:
        return tool_schema(self.function, name=self.name)

    async def call(self, workspace: Workspace, arguments: Mapping[str, object]) -> ToolResult:
        """Calls the function as a model asked; raises ToolError where the call does not fit."""
        _check_arguments(self, arguments)
        if inspect.iscoroutinefunction(self.function):
            result = await self.function(workspace, **arguments, **self.settings)
        else:
            result = await asyncio.to_thread(self.function, workspace, **arguments, **self.settings)
        return typing.cast(ToolResult, result)


async def call_tool(
    tools: Mapping[str, Tool], workspace: Workspace, name: str, arguments: Mapping[str, object]
) -> ToolResult:
    """Calls a tool by its name; raises ToolError where there is none, or the call does not fit."""
    if name not in tools:
        known = ", ".join(sorted(tools)) or "none"
        raise ToolError(f"no tool is called {name!r}: the tools are {known}")
    return await tools[name].call(workspace, arguments)


def _check_arguments(tool: Tool, arguments: Mapping[str, object]) -> None:
    visible = _visible(tool.function)
    unknown = sorted(set(arguments) - set(visible))
    missing = [
        parameter.name
        for parameter in visible.values()
        if parameter.default is parameter.empty and parameter.name not in arguments
    ]
    hints = typing.get_type_hints(tool.function)
    mistyped = [
        name for name in arguments if name in visible and not _fits(arguments[name], hints[name])
    ]
    if unknown or missing or mistyped:
        wrong = [f"does not take {each!r}" for each in unknown]
        wrong += [f"needs {each!r}" for each in missing]
        wrong += [f"needs {each!r} as {JSON_TYPES[hints[each]]}" for each in mistyped]
        raise ToolError(f"{tool.name} {' and '.join(wrong)}")


def _fits(value: object, hint: object) -> bool:
    """Whether a value is of a plain type; what a list holds is for the tool to check."""
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return hint not in JSON_TYPES or type(value) is hint


def tool_schema(function: ToolFunction, *, name: str | None = None) -> dict[str, object]:
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


def _visible(function: ToolFunction) -> dict[str, inspect.Parameter]:
    """The parameters that a model sees: all but the workspace and the settings."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return {each.name: each for each in parameters if each.kind is not each.KEYWORD_ONLY}


def _docstring(function: ToolFunction) -> tuple[str, dict[str, str]]:
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
