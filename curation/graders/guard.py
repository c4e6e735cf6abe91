"""Which answers are not shown to a judge: long ones, and those that speak to whoever grades them.

A judge is a language model, so an answer can try to talk it into a verdict. What looks like that
is left unscored. The patterns are phrases, not words, because "judge" may be a good answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_GRADER = r"(?:judge|grader|evaluator|examiner|reviewer|prüfer|juez|juge|评委|评判|评分|採点)"
_INSTRUCTIONS = r"(?:instructions?|prompts?|rules?|anweisung\w*|consignes?|instrucciones|指示|指令)"
_SIGNS = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        (
            "tells the judge to forget its instructions",
            rf"\b(?:ignor\w*|disregard|forget|override|vergiss|olvid\w*|oublie\w*)\b.{{0,40}}"
            rf"{_INSTRUCTIONS}|(?:忽略|无视|忘记).{{0,12}}{_INSTRUCTIONS}",
        ),
        (
            "addresses the judge",
            rf"\b(?:dear|hey|hi|hello|to|as|attention|note\s+(?:to|for))\s+(?:the\s+|a\s+|an\s+)?"
            rf"(?:\w+\s+)?{_GRADER}s?\b|^\s*{_GRADER}s?\s*[:,]"
            r"|\bas\s+an?\s+(?:ai|language\s+model)\b|\b(?:you\s+are|act\s+as)\s+(?:now\s+)?an?\s",
        ),
        (
            "asks for a verdict",
            r"\b(?:mark|grade|score|rate|judge|accept|count|treat|consider|output|return|respond|"
            r"reply|answer|say|bewerte\w*|califica\w*|marque)\b.{0,40}\b(?:as|with|is|als|como|"
            r"comme)\b.{0,12}\b(?:correct|right|true|richtig|korrekt|correct[ao]|full\s+marks|yes|"
            r"1(?:\.0)?)\b"
            r"|\b(?:this|the|my)\s+(?:answer|response)\s+(?:is|should\s+be|must\s+be|deserves)\b"
            r".{0,20}\b(?:correct|right|accepted|full\s+marks|considered)\b"
            r"|\bverdict\b|(?:判|评|评为|视)(?:为|作)?(?:正确|对)|正解と(?:判定|みなし)",
        ),
        (
            "claims to equal the accepted answer",
            r"\b(?:same\s+as|equals?|equivalent\s+to|matches|identical\s+to|agrees\s+with)\b.{0,12}"
            r"\b(?:accepted|reference|gold|ground[\s-]truth|expected|correct|standard)\b"
            r"|\b(?:whatever|any)\b.{0,30}\b(?:accepted|reference|gold|expected)\b",
        ),
        (
            "imitates a conversation or data for the judge",
            r"<\|[a-z_]+\|>|\[/?inst\]|<</?sys>>|^\s*(?:system|assistant|user|human)\s*:"
            r"|</?(?:system|instructions?|response|accepted|answer|think|tool_call)\b[^>]*>|<!--"
            r"|[\"'](?:accepted|response|question|reason)[\"']\s*:|```",
        ),
    )
)
_INVISIBLE = frozenset({"Cf", "Co", "Cs"})
_HARMLESS = frozenset("\u00ad\u200b\u200c\u200d\u200e\u200f\ufeff")
"""Invisible signs of ordinary text: soft hyphen, joiners, marks of direction, byte order mark."""


_OF_THOUGHTS = (
    _SIGNS[0],
    (
        "addresses the judge",
        re.compile(
            rf"\b(?:dear|hey|hi|hello|attention|note\s+(?:to|for))\s+(?:the\s+|a\s+|an\s+)?"
            rf"(?:\w+\s+)?{_GRADER}s?\b|^\W*{_GRADER}s?\s*[:,]",
            re.IGNORECASE,
        ),
    ),
    (
        "asks for a verdict",
        re.compile(
            r"\bverdicts?\b|\b(?:mark|grade|score|rate|judge|accept|treat)\s+(?:this|these|it|me|"
            r"my|the)\b.{0,40}\bas\b.{0,12}\b(?:right|correct|consistent|true)\b"
            r"|\b(?:this|the|my)\s+(?:thought|action|answer|step)s?\s+(?:should|must|deserves?)\b"
            r".{0,30}\b(?:right|correct|accepted|considered|pass)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "imitates a conversation or data for the judge",
        re.compile(
            r"<\|[a-z_]+\|>|\[/?inst\]|<</?sys>>|^\s*(?:system|assistant|user|human)\s*:"
            r"|</?(?:system|instructions?|response|answer|think|tool_call)\b[^>]*>"
            r"|[\"'](?:question|thought|action|answer|reason)[\"']\s*:",
            re.IGNORECASE,
        ),
    ),
)
"""Of somebody who thinks aloud, to judge a length or to say that the answer is right there is
nothing strange."""


def suspicion(response: str, *, max_chars: int) -> str | None:
    """Why an answer is not to be judged; None where nothing speaks against it."""
    return _suspicion(response, "the answer", _SIGNS, max_chars)


def suspicion_of_thought(text: str, *, max_chars: int) -> str | None:
    """Why a thought and what follows it are not to be judged; None likewise."""
    return _suspicion(text, "the turn", _OF_THOUGHTS, max_chars)


def _suspicion(
    text: str, what: str, signs: Iterable[tuple[str, re.Pattern[str]]], max_chars: int
) -> str | None:
    if len(text) > max_chars:
        return f"{len(text)} characters, more than the {max_chars} that are judged"
    visible = "".join(sign for sign in text if sign not in _HARMLESS)
    if any(unicodedata.category(sign) in _INVISIBLE for sign in visible):
        return f"{what} holds invisible characters"
    plain = unicodedata.normalize("NFKC", visible)
    flat = " ".join(plain.split())
    for name, pattern in signs:
        if pattern.search(flat) or any(pattern.search(line) for line in plain.splitlines()):
            return f"{what} {name}"
    return None
