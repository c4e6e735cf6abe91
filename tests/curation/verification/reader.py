"""A scripted judge of thoughts that reads what it is shown, and trajectories whose thoughts say
something that can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from curation.dialects import Answer
from curation.verification import Gallery
from curation.verification.agreement import told
from tests.curation.verification.teacher import Real

_STEPS = {
    "cut out": r"\.crop\(|bbox_2d",
    "enlarge": r"\.resize\(",
    "measure": r"\.size\b",
    "draw a histogram of": r"plt\.hist\(",
    "show": r"show\(",
}
"""What a thought may announce, and how that looks in an action."""
_THOUGHT = re.compile(r"<think>.*</think>", re.DOTALL)


def verdict(shown: dict[str, Any]) -> str:
    """What the texts of a pairing come to."""
    thought, follows = shown["thought"], shown.get("action", shown.get("answer"))
    if not follows or shown["question"] not in thought:
        return "wrong"
    if "answer" in shown:
        read = re.search(r"It reads (.*), so", thought)
        return "unsure" if read is None else "right" if read[1] == follows else "wrong"
    announced = re.search(rf"I ({'|'.join(_STEPS)}) ", thought)
    if announced is None:
        return "unsure"
    return "right" if re.search(_STEPS[announced[1]], follows) else "wrong"


def judge(request: dict[str, Any]) -> list[str]:
    """Replies to a request about a pairing."""
    shown = json.loads(request["messages"][-1]["content"])
    assert {"question", "thought"} < shown.keys() and len(shown) == 3
    return [json.dumps({"reason": "read", "verdict": verdict(shown)})] * request["n"]


Words = Callable[[Real, int], str]
"""The thought of a turn, counted from 0."""


def in_words(real: Real, words: Words) -> Real:
    """The trajectory with other thoughts."""
    turns = tuple(
        replace(turn, text=_THOUGHT.sub(_thought(words(real, i)), turn.text))
        for i, turn in enumerate(real.rollout.turns)
    )
    return replace(real, rollout=replace(real.rollout, turns=turns))


def _thought(words: str) -> Callable[[re.Match[str]], str]:
    return lambda match: f"<think>\n{words}\n</think>"


def plain(real: Real, turn: int) -> str:
    """A thought that names the question and what is done next, or what was read."""
    action = real.case(Gallery(lambda image_id: b"")).actions[turn]
    if isinstance(action, Answer):
        return f"Asked is: {real.sample.question} It reads {action.text}, so that is the answer."
    seen = told(action)
    step = next((name for name, sign in _STEPS.items() if re.search(sign, seen)), "show")
    return f"Asked is: {real.sample.question} I {step} what tells it."
