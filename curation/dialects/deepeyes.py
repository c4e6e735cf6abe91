"""DeepEyes v1 (arXiv 2505.14362, appendix A; environment `visual_toolbox_v2`).

`<think>`, then `<tool_call>` with one JSON object, or `<answer>`. The suffix of the user turn is
repeated by the environment in every observation, so it is protocol and kept as published.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from curation.dialects.base import (
    IMAGE,
    Action,
    Call,
    Fault,
    Observed,
    final_answer,
    last_block,
    opening,
    prompt,
)
from schemas import Message

_SUFFIX = (
    "\nThink first, call **image_zoom_in_tool** if needed, then answer. Format strictly as:"
    "  <think>...</think>  <tool_call>...</tool_call> (if tools needed)  <answer>...</answer> "
)


@dataclass(frozen=True, slots=True)
class DeepEyes:
    """Zooms with `image_zoom_in_tool`; boxes are pixels of the original image."""

    name: str = "deepeyes"
    stop: tuple[str, ...] = ("</tool_call>", "</answer>")
    tools: tuple[str, ...] = ()
    native: bool = False

    def opening(self, question: str, image_count: int) -> list[Message]:
        own, end, rest = prompt("deepeyes").partition("</tools>\n\n")
        listed = "".join(f"{schema}\n" for schema in self.tools)
        return opening(own + listed + end + rest, f"Question: {question}", _SUFFIX, image_count)

    def parse(self, text: str) -> Action:
        return final_answer(text) or parse_call(text)

    def observation(self, observed: Observed) -> str:
        if observed.error is not None:
            return f"Error: {observed.error}"
        seen = IMAGE * observed.images if observed.answer is None else observed.answer
        return f"<tool_response>{seen}{_SUFFIX}</tool_response>"


def parse_call(text: str) -> Call | Fault:
    """The last `<tool_call>` of a turn; arguments may be left out."""
    block = last_block("tool_call", text)
    if block is None:
        return Fault("no_action")
    try:
        call = json.loads(block)
        name, arguments = call["name"], call.get("arguments") or {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Fault("bad_json")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return Fault("bad_json")
    return Call(name, arguments)
