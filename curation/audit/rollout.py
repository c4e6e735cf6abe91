"""A conversation as the rollout that it was, so that the checks of our own can look at it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from curation.audit.conversations import Conversation
from curation.dialects import Action, Answer, Call, Code, Dialect
from curation.dialects.base import IMAGE
from curation.images import BadImageError
from curation.verification import Case, Gallery
from schemas import Message, Rollout, ToolCall, Turn

_CELL = re.compile(r"stdout:\n```\n(.*?)\n?```\s*stderr:\n```\n(.*?)\n?```", re.DOTALL)
_RESPONSE = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)
_UNANSWERED = "unanswered"


def as_case(conversation: Conversation, dialect: Dialect) -> Case:
    """The conversation under check.

    What was not written down is not known: no gold answer, seeds, tokens or seconds.
    """
    messages = [each for each in conversation.messages if each.role != "system"]
    ids = [hashlib.sha256(encoded).hexdigest() for encoded in conversation.images]
    asked = messages[0].content if messages and messages[0].role == "user" else ""
    opening = asked.count(IMAGE)
    turns = tuple(_turns(messages[1 if asked else 0 :], ids[opening:], dialect))
    last = dialect.parse(turns[-1].text) if turns else None
    answered = isinstance(last, Answer)
    rollout = Rollout(
        rollout_id=conversation.position,
        sample_id=conversation.position,
        arm="teacher",
        attempt=0,
        model="",
        dialect=dialect.name,
        seed=0,
        turns=turns,
        prediction=last.text if isinstance(last, Answer) else None,
        stop_reason="answered" if answered else _UNANSWERED,
        error=None,
        seconds=0.0,
    )
    question = asked.replace(IMAGE, "").strip()
    stored = dict(zip(ids, conversation.images, strict=True))
    return Case(rollout, dialect, question, (), tuple(ids[:opening]), _gallery(stored))


def _gallery(stored: dict[str, bytes]) -> Gallery:
    def read(image_id: str) -> bytes:
        if image_id not in stored:
            raise BadImageError("missing_image", "it is not there")
        return stored[image_id]

    return Gallery(read)


def _turns(messages: Sequence[Message], ids: list[str], dialect: Dialect) -> Iterator[Turn]:
    """Every reply with the user turn after it, which tells what its action gave."""
    left = iter(ids)
    for position, message in enumerate(messages):
        if message.role != "assistant":
            continue
        after = messages[position + 1] if position + 1 < len(messages) else None
        call = None
        if after is not None and after.role == "user":
            shown = tuple(islice(left, after.content.count(IMAGE)))
            call = _call(dialect.parse(message.content), after.content, shown)
        yield Turn(message.content, call, "stop", 0, 0)


def _call(action: Action, text: str, image_ids: tuple[str, ...]) -> ToolCall:
    match action:
        case Code(code):
            name, arguments = "python", code
        case Call(name, given):
            arguments = json.dumps(given, ensure_ascii=False)
        case _:
            name, arguments = "", ""
    stdout, stderr = observed(text)
    return ToolCall(name, arguments, text, stdout, stderr, image_ids, stderr or None, 0.0)


def observed(text: str) -> tuple[str, str]:
    """What was printed and what went wrong, as the published environments word it."""
    if found := _CELL.search(text):
        return found[1].strip(), found[2].strip()
    response = _RESPONSE.search(text)
    inner = response[1] if response else text.strip()
    if inner.startswith(("Error", "Code execution error")):
        return "", inner
    return inner.replace(IMAGE, ""), ""
