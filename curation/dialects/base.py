"""What every dialect offers, and the actions that a reply can ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from schemas import Message

IMAGE = "<image>"
"""Stands for the next image of a conversation."""

_PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer; ends the rollout."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Python to run in the rollout's session."""

    code: str


@dataclass(frozen=True, slots=True)
class Call:
    """A named tool with its arguments."""

    name: str
    arguments: dict[str, object]


@dataclass(frozen=True, slots=True)
class Fault:
    """A reply that asks for nothing the dialect knows; ends the rollout as a parse error."""

    reason: str


Action = Answer | Code | Call | Fault


@dataclass(frozen=True, slots=True)
class Observed:
    """What an executed action gave, before it is worded."""

    stdout: str = ""
    stderr: str = ""
    images: int = 0
    answer: str | None = None
    """A tool's answer, with its placeholders; null where code was run."""
    error: str | None = None
    """A tool's complaint."""


class Dialect(Protocol):
    """One tool-call grammar, with the tools that its system prompt offers."""

    @property
    def name(self) -> str: ...

    @property
    def tools(self) -> tuple[str, ...]:
        """Schemas of the recipe's tools as JSON, beside what the dialect always has."""
        ...

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings that end a turn; they stay in the reply's text."""
        ...

    @property
    def native(self) -> bool:
        """Whether tools, calls and what they give are sent as fields of the API, not as text."""
        ...

    def opening(self, question: str, image_count: int) -> list[Message]:
        """System and user message; the images stand before the question."""
        ...

    def parse(self, text: str) -> Action: ...

    def observation(self, observed: Observed) -> str:
        """The user turn that tells what an action gave."""
        ...


@cache
def prompt(name: str) -> str:
    """A prompt file, without its final newline."""
    return (_PROMPTS / f"{name}.txt").read_text(encoding="utf-8").removesuffix("\n")


def opening(system: str, question: str, suffix: str, image_count: int) -> list[Message]:
    """The layout that all dialects share: images, newline, question, suffix."""
    placeholders = IMAGE * image_count + "\n" if image_count else ""
    return [
        Message("system", system),
        Message("user", f"{placeholders}{question}{suffix}"),
    ]


def last_block(tag: str, text: str) -> str | None:
    """The content of the last `<tag>...</tag>`, as the published environments look for it."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return found[-1] if found else None


def final_answer(text: str) -> Answer | None:
    """The first answer after the last thought, which is what the published rewards grade."""
    found = re.search(r"<answer>(.*?)</answer>", text.rpartition("</think>")[2], re.DOTALL)
    return Answer(found[1].strip()) if found else None
