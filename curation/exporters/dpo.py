"""What the DPO targets share: a pair's conversations, their images, and the rules for both sides.

A pair is checked as the two conversations that a trainer makes of it, each by the rules of
conversations; what is said of one side begins with its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from curation.errors import ExportError
from curation.exporters.base import ExportRow
from curation.exporters.checks import Candidate, Rule
from curation.exporters.common_rules import COMMON, IMAGES_PRESENT
from curation.exporters.sft_rules import SFT
from schemas import Message, Pair

SIDES = ("chosen", "rejected")
_OF_CHOSEN = ("turn_start", "turn_end", "turn_tags")
"""Rules of form that the chosen side keeps; a rejected reply may be there for breaking them."""


class Images(NamedTuple):
    """The encoded images of a pair, part by part."""

    prompt: list[bytes]
    chosen: list[bytes]
    rejected: list[bytes]


def pair_of(example: ExportRow) -> tuple[Pair, Images]:
    """The pair of a row, and its images.

    Raises:
        ExportError: the row is no pair.
    """
    pair, images = example.pair, example.images
    if pair is None:
        raise ExportError("a target of the kind dpo is written from pairs: give rows with a pair")
    shown = len(pair.prompt_images)
    answered = shown + len(pair.chosen_images)
    return pair, Images(images[:shown], images[shown:answered], images[answered:])


def both(rule: Rule) -> Rule:
    """A rule of conversations that either side of a pair has to keep."""

    def find(candidate: Candidate) -> str | None:
        return next(_faults(rule, candidate, SIDES), None)

    return Rule(rule.name, find)


def _chosen(rule: Rule) -> Rule:
    def find(candidate: Candidate) -> str | None:
        return next(_faults(rule, candidate, SIDES[:1]), None)

    return Rule(rule.name, find)


def _faults(rule: Rule, candidate: Candidate, sides: Sequence[str]) -> Iterator[str]:
    for side in sides:
        if fault := rule.find(candidate.sides[side]):
            yield f"{side}: {fault}"


def replies(row: dict[str, Any], side: str) -> list[dict[str, Any]]:
    """The messages of a side where it has a column of its own."""
    value = row[side]
    return value if isinstance(value, list) else [value]


def _one_reply(candidate: Candidate) -> str | None:
    """Their preprocessing takes a side as one text, and finds images in the prompt alone."""
    for side in SIDES:
        roles = [message["role"] for message in replies(candidate.row, side)]
        if roles != ["assistant"]:
            return (
                f"{side} has the roles {', '.join(roles) or 'none'}: this trainer takes one reply"
                " of the assistant on each side; export pairs of several turns for ms-swift-dpo"
            )
    return None


def _no_empty_reply(candidate: Candidate) -> str | None:
    for side in SIDES:
        if not candidate.sides[side].chat[-1]["content"].strip():
            return f"{side} ends with an empty reply, which has no token to train on: drop the pair"
    return None


def _different(candidate: Candidate) -> str | None:
    """Equal sides cancel out in the loss; ms-swift raises on them."""
    if candidate.sides["chosen"].chat == candidate.sides["rejected"].chat:
        return "rejected says what chosen says, so that nothing is preferred: drop the pair"
    return None


def _same_prompt(candidate: Candidate) -> str | None:
    """The trainer does not ask; two questions are no preference."""
    chosen, rejected = (candidate.sides[side].chat for side in SIDES)
    opening = [message for message in chosen[:2] if message["role"] != "assistant"]
    if rejected[: len(opening)] == opening:
        return None
    return "rejected_messages begins with another prompt than messages: pair the same question"


ONE_REPLY = Rule("one_reply", _one_reply)
"""For trainers whose pairs end in one reply on each side; it comes before all but `types`."""
ONE_REPLY_NOTE = (
    "Both sides are the reply in which the two rollouts part; pairs that part over several turns"
    " are left out here and kept by `ms-swift-dpo`."
)
"""What ONE_REPLY leaves out, for those who train."""
SAME_PROMPT = Rule("same_prompt", _same_prompt)
DPO = (
    *(both(rule) for rule in SFT if rule.name == "turn_order"),
    Rule("empty_reply", _no_empty_reply),
    Rule("different", _different),
    *map(both, (IMAGES_PRESENT, *COMMON)),
    *(_chosen(rule) for rule in SFT if rule.name in _OF_CHOSEN),
)
"""Rules of every DPO target."""


def one_message(messages: Sequence[Message]) -> dict[str, str]:
    """A side as a single message; several keep their roles, which ONE_REPLY refuses."""
    roles = ", ".join(message.role for message in messages)
    return {"role": roles, "content": "".join(message.content for message in messages)}
