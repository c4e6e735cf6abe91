"""The form of a conversation: one action a turn, images in step, no markup of chat templates."""

from __future__ import annotations

import re

from curation.dialects import Answer, Fault
from curation.dialects.base import IMAGE
from curation.images import BadImageError
from curation.verification.case import Case, Finding

_ACTIONS = ("code", "tool_call", "answer")
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
_MARKUP = re.compile(
    r"<\|[a-z_]{2,30}\|>"  # ChatML, Qwen, Llama 3
    r"|</?s>|\[/?INST\]|<</?SYS>>"  # Llama 2, Mistral
    r"|<(?:start|end)_of_turn>"  # Gemma
    r"|</?tool_response>|Code execution result:"  # an observation that the model made up
)


def grammar(case: Case) -> Finding:
    """Every turn parses to one action, and only the last one answers."""
    turns = case.rollout.turns
    for number, (turn, action) in enumerate(zip(turns, case.actions, strict=True), start=1):
        if isinstance(action, Fault):
            return Finding(False, f"turn {number} does not parse: {action.reason}", number)
        if isinstance(action, Answer) != (number == len(turns)):
            return Finding(False, f"turn {number} of {len(turns)} is out of place", number)
        if fault := _tags(turn.text):
            return Finding(False, f"turn {number} {fault}", number)
    return Finding(bool(turns), f"{len(turns)} turns parse")


def _tags(text: str) -> str | None:
    """What is wrong with a turn's tags; environments run the last action and drop the others."""
    for tag in ("think", *_ACTIONS):
        if text.count(f"<{tag}>") != text.count(f"</{tag}>"):
            return f"does not close every <{tag}>"
    said = _THOUGHT.sub("", text)
    opened = [tag for tag in _ACTIONS for _ in range(said.count(f"<{tag}>"))]
    if len(opened) > 1:
        return f"asks for several things: {', '.join(opened)}"
    return None


def placeholders(case: Case) -> Finding:
    """Every image has its placeholder, the model wrote none, and every image can be decoded."""
    for number, turn in enumerate(case.rollout.turns, start=1):
        if IMAGE in turn.text:
            return Finding(False, f"turn {number} holds a literal {IMAGE}", number)
        if turn.call and turn.call.text.count(IMAGE) != len(turn.call.image_ids):
            return Finding(False, f"turn {number} observes other images than it names", number)
    if IMAGE in case.question:
        return Finding(False, f"the question holds a literal {IMAGE}")
    images = (*case.image_ids, *case.shown)
    for image_id in images:
        try:
            case.gallery.look(image_id)
        except BadImageError as error:
            return Finding(False, f"image {image_id[:12]}: {error}")
    return Finding(True, f"{len(images)} images in step")


def markup(case: Case) -> Finding:
    """No token of a chat template and no made-up observation in what the model wrote."""
    for number, text in enumerate(case.texts, start=1):
        if found := _MARKUP.search(text):
            return Finding(False, f"turn {number} holds {found[0]!r}", number)
    return Finding(True, "no markup of chat templates")
