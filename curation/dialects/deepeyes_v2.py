"""DeepEyesV2 (arXiv 2511.05271; environment `deepeyes_v2`).

`<think>`, then `<code>` with a python fence, `<tool_call>` with one JSON object, or `<answer>`.
An answer wins over code, code over a tool call; of several blocks the last one counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from curation.dialects.base import (
    IMAGE,
    Action,
    Code,
    Fault,
    Observed,
    final_answer,
    last_block,
    opening,
    prompt,
)
from curation.dialects.deepeyes import parse_call
from schemas import Message

_SUFFIX = (
    "\n\nThink step by step inside <think> </think>, use Python code to look at the image where"
    " it helps, and end with <answer> your answer </answer>."
)
_FENCE = re.compile(r"```python\s*\n(.*?)\n```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DeepEyesV2:
    """Writes Python over `image_1`, `image_2`, ...; shown figures come back as images."""

    name: str = "deepeyes-v2"
    stop: tuple[str, ...] = ("</code>", "</tool_call>", "</answer>")
    tools: tuple[str, ...] = ()
    native: bool = False

    def opening(self, question: str, image_count: int) -> list[Message]:
        system = prompt("deepeyes_v2")
        if self.tools:
            listed = prompt("deepeyes_v2_tools").replace("{schemas}", "\n".join(self.tools))
            system = f"{system}\n\n{listed}"
        return opening(system, question, _SUFFIX, image_count)

    def parse(self, text: str) -> Action:
        answer = final_answer(text)
        if answer is not None:
            return answer
        block = last_block("code", text)
        if block is None:
            return parse_call(text)
        fenced = _FENCE.findall(block)
        return Code(fenced[-1]) if fenced else Fault("no_python_fence")

    def observation(self, observed: Observed) -> str:
        if observed.error is not None:
            return f"<tool_response>\nError: {observed.error}\n</tool_response>"
        if observed.answer is not None:
            return f"<tool_response>\n{observed.answer}\n</tool_response>"
        text = (
            "Code execution result:\n"
            f"stdout:\n```\n{observed.stdout.strip()}\n```\n\n"
            f"stderr:\n```\n{observed.stderr.strip()}\n```"
        )
        return text + (f"\n\nImages:\n{IMAGE * observed.images}" if observed.images else "")
