"""The dialect without tools: one turn, one answer."""

from __future__ import annotations

from dataclasses import dataclass

from curation.dialects.base import Action, Fault, Observed, final_answer, opening, prompt
from schemas import Message

_SUFFIX = "\nAnswer with a number, a word or a short phrase inside <answer> </answer> tags."


@dataclass(frozen=True, slots=True)
class Direct:
    """Asks for the answer alone; what the difficulty of a sample is measured with."""

    name: str = "direct"
    stop: tuple[str, ...] = ("</answer>",)
    tools: tuple[()] = ()
    native: bool = False

    def opening(self, question: str, image_count: int) -> list[Message]:
        return opening(prompt("direct"), question, _SUFFIX, image_count)

    def parse(self, text: str) -> Action:
        return final_answer(text) or Fault("no_answer")

    def observation(self, observed: Observed) -> str:
        raise ValueError("the direct dialect has no tools, so it has no observations")
