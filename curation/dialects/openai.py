"""Native tool calls of the chat completions API, for teachers that were trained on those.

A turn is one call, or an `<answer>`; `python` is always offered, other tools where the recipe
names them. What is stored, checked and exported is text (`curation.dialects.hermes`), which is what
verl's tool agent has its model write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from curation.dialects.base import (
    IMAGE,
    Action,
    Call,
    Code,
    Fault,
    Observed,
    final_answer,
    opening,
    prompt,
)
from curation.dialects.deepeyes import parse_call
from curation.dialects.hermes import result_text, with_tools
from curation.tools.base import tool_schema
from curation.tools.python import python
from schemas import Message

_SUFFIX = (
    "\n\nThink step by step inside <think> </think>, call a function where it helps to look closer"
    " or to compute, and end with <answer> your answer </answer>."
)
_PYTHON = python.__name__


@dataclass(frozen=True, slots=True)
class OpenAI:
    """Calls functions; no stop strings, since the server ends a turn after its call."""

    name: str = "openai"
    stop: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    native: bool = True

    def opening(self, question: str, image_count: int) -> list[Message]:
        system = with_tools(prompt("openai"), _offered(self.tools).values())
        return opening(system, question, _SUFFIX, image_count)

    def parse(self, text: str) -> Action:
        answer, calls = final_answer(text), text.count("<tool_call>")
        if calls > 1:
            return Fault("two_calls")
        if answer is not None:
            return Fault("call_and_answer") if calls else answer
        call = parse_call(text)
        return self._checked(call) if isinstance(call, Call) else call

    def _checked(self, call: Call) -> Action:
        """A call of a tool that there is, with all that it needs."""
        required = _required(self.tools)
        if call.name not in required:
            return Fault("unknown_tool")
        if not required[call.name] <= set(call.arguments):
            return Fault("missing_argument")
        if call.name != _PYTHON:
            return call
        code = call.arguments["code"]
        return Code(code) if isinstance(code, str) else Fault("bad_argument")

    def observation(self, observed: Observed) -> str:
        if observed.error is not None:
            return result_text(f"Error: {observed.error}")
        if observed.answer is not None:
            return result_text(observed.answer)
        printed = filter(None, (observed.stdout.strip(), observed.stderr.strip()))
        return result_text("\n".join((*printed, IMAGE * observed.images)))


@cache
def _offered(tools: tuple[str, ...]) -> Mapping[str, str]:
    """Schemas by name, JSON; a tool of the recipe takes the place of ours with the same name."""
    schemas = [json.dumps(tool_schema(python)), *tools]
    return {json.loads(schema)["function"]["name"]: schema for schema in schemas}


@cache
def _required(tools: tuple[str, ...]) -> Mapping[str, frozenset[str]]:
    """The arguments that a call of each tool must have."""
    schemas = {name: json.loads(schema) for name, schema in _offered(tools).items()}
    return {
        name: frozenset(schema["function"]["parameters"]["required"])
        for name, schema in schemas.items()
    }
