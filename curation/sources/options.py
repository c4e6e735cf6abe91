"""Multiple choice: option lists in the shapes that data sets use, and the option that is gold."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# "A. red", "(B) blue", "[C] green", "D) grey", "E: none"
_LABELLED = re.compile(r"[(\[]?([A-Z])[.):\]]\s*(\S.*)", re.DOTALL)
_LETTER = re.compile(r"[(\[]?([A-Za-z])[.):\]]?|[(\[]?([A-Z])[.):\]]\s*\S.*", re.DOTALL)
# Options in one line are only told from prose when their letters stand in brackets: "(A) 3 (B) 4".
_BRACKETED = re.compile(r"\(([A-Z])\)\s*(.+?)(?=\s*\([A-Z]\)|\s*$)", re.DOTALL)


def parse_list(text: str) -> list[object] | None:
    """A list written as text, as JSON or as Python prints one; None when the text is neither."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, list | tuple):
            return list(value)
    return None


def parse_options(value: object) -> tuple[str, ...] | None:
    """Option texts without their letters; () when there are none, None when unreadable.

    Read are a list, a mapping of letters to texts, a list written as text, and lettered lines.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, Mapping):
        # A Parquet struct holds a null under every letter that only other rows use.
        return parse_options([text for text in value.values() if text is not None])
    if isinstance(value, str):
        written = parse_list(value)
        return options_inside(value) or None if written is None else parse_options(written)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return without_letters([str(item).strip() for item in value])
    return None


def without_letters(options: Sequence[str]) -> tuple[str, ...]:
    """Takes "A. " and the like off, if every option carries the letter of its position.

    One lettered option proves nothing: "B. cereus" is a species.
    """
    matches = [_LABELLED.fullmatch(option) for option in options]
    if all(match and match[1] == letter for match, letter in zip(matches, LETTERS, strict=False)):
        return tuple(match[2].strip() for match in matches if match)
    return tuple(options)


def options_inside(question: str) -> tuple[str, ...]:
    """The options written in a question, one a line or as "(A) ... (B) ..."; () when none are."""
    lines = [_LABELLED.fullmatch(line.strip()) for line in question.splitlines()]
    found = [(match[1], match[2]) for match in lines if match]
    if len(found) < 2:
        found = _BRACKETED.findall(question)
    if len(found) < 2 or "".join(letter for letter, _ in found) != LETTERS[: len(found)]:
        return ()
    return tuple(text.strip() for _, text in found)


def lettered(options: Sequence[str]) -> str:
    """The options as lines "A. text", the form in which a model sees them."""
    return "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False))


def gold_option(answer: str, options: Sequence[str]) -> int | None:
    """Position of the option that an answer names by its text or letter; None when it names none.

    Letters come as "B", "b", "(B)", "[B]", "B." and "B) text". A number is never read as a
    position: data sets disagree on whether the first option is 0 or 1.
    """
    folded = [option.casefold() for option in options]
    if answer.casefold() in folded:
        return folded.index(answer.casefold())
    match = _LETTER.fullmatch(answer)
    if match is None:
        return None
    position = LETTERS.index((match[1] or match[2]).upper())
    return position if position < len(options) else None
