"""Whether the answer stands in an action before anything could have told it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from curation.dialects import Action, Call, Code
from curation.verification.case import Case, Finding
from curation.verification.code import called, parsed
from curation.verification.numbers import akin, numbers_in

_SHORTEST = 3
"""Characters of a text answer; a shorter one stands anywhere by chance."""
_SMALLEST = 10
"""Whole numbers below that stand in code for many reasons."""
_PLAIN = {"yes", "no", "true", "false", "none", "left", "right", "top", "bottom"}
"""Answers that are words of code or of any instruction."""
_SAYS = {"print", "title", "set_title", "suptitle", "text", "annotate", "str", "display"}
"""Calls whose arguments are told to the reader."""
_EXACT = 1e-6


def leak(case: Case) -> Finding:
    """The answer is no literal of code, and no word of a call, before it was observed.

    Observed is what the question says, what was printed, and anything once an image came back,
    since it may stand there. Of code only constants count that are told as they stand: one among
    other operands was read to be computed with.
    """
    answers = [answer for answer in case.answers or (case.rollout.prediction or "",) if answer]
    telling = [answer for answer in answers if _telling(answer)]
    if not telling:
        return Finding(None, "an answer that says nothing where it stands")
    known = case.question
    for position, action, call in case.executed:
        for literal in _literals(action):
            for answer in telling:
                if _fixes(literal, answer) and not _stands(answer, known):
                    return Finding(
                        False, f"turn {position + 1} already holds {literal!r}", position + 1
                    )
        if call.image_ids:
            break
        known += "\n" + call.text
    return Finding(True, "no action holds the answer before it was observed")


def _telling(answer: str) -> bool:
    word = answer.strip().lower()
    if (number := _number(word)) is not None:
        return number != int(number) or abs(number) >= _SMALLEST
    return len(word) >= _SHORTEST and word not in _PLAIN


def _number(text: str) -> float | None:
    """The number that a text is, its unit aside."""
    found = numbers_in(text)
    letters = sum(character.isalpha() for character in text)
    return found.pop() if len(found) == 1 and letters <= _SHORTEST else None


def _literals(action: Action) -> Iterator[str | float]:
    match action:
        case Code(code):
            if tree := parsed(code):
                yield from _told(tree)
        case Call(arguments=arguments):
            yield from (value for value in arguments.values() if isinstance(value, str))


def _told(tree: ast.Module) -> Iterator[str | float]:
    """Constants that are told as they stand, and the only one that is given a name.

    Several named constants are operands, and one among several colours is a candidate.
    """
    named: list[str | float] = []
    for node in ast.walk(tree):
        match node:
            case ast.Call() as call if called(call) in _SAYS:
                yield from (found for each in call.args for found in _plain(each))
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                named += _plain(value)
    if len(named) == 1:
        yield named[0]


def _plain(value: ast.expr) -> Iterator[str | float]:
    """A constant, or the constants of an f-string."""
    match value:
        case ast.Constant(value=bool()):
            return
        case ast.Constant(value=str() | int() | float() as constant):
            yield constant
        case ast.UnaryOp(ast.USub(), ast.Constant(value=int() | float() as number)):
            yield -number
        case ast.JoinedStr(values=parts):
            yield from (found for part in parts for found in _plain(part))
        case ast.FormattedValue(value=inner):
            yield from _plain(inner)


def _fixes(literal: str | float, answer: str) -> bool:
    """Whether a literal gives the answer away."""
    if isinstance(literal, str):
        return _stands(answer, literal)
    number = _number(answer)
    return number is not None and akin(literal, number, _EXACT)


def _stands(answer: str, text: str) -> bool:
    """Whether a text says the answer, as a number or as words."""
    number = _number(answer)
    if number is not None:
        return any(akin(each, number, _EXACT) for each in numbers_in(text))
    words = r"\W+".join(map(re.escape, answer.lower().split()))
    return re.search(rf"(?<!\w){words}(?!\w)", text.lower()) is not None
