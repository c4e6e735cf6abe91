"""Lists: the same elements, in any order."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from curation.graders.base import Grade, abstain, best, final_answer, right, wrong
from curation.graders.normal import contains_words, normal_form
from curation.graders.quantity import quantities

_STRONG = re.compile(r"(?:^|\n)\s*(?:[-*•]|\d+[.)])\s+|[\n;|]")
_COMMA = re.compile(r",\s+|[、，；]|,(?!\d{3}(?!\d))")
_AND = re.compile(r",?\s+(?:and|und|et|y|e|&|или|и)\s+|,\s*|[、，；和与]|\s*&\s*", re.IGNORECASE)


def listing(prediction: str, answers: Sequence[str], choices: Sequence[str] = ()) -> Grade:
    """The same elements as an accepted list; each counts as often as it is given.

    Lists are JSON, lines, bullets, or split at semicolons, commas or a final "and"; where a text
    can be split in several ways ("salt and pepper, oil") any one that matches will do.
    """
    said = ways_to_split(final_answer(prediction))
    shown = ", ".join(said[0])
    return best(_against(said, shown, answer) for answer in answers)


def _against(said: list[tuple[str, ...]], shown: str, answer: str) -> Grade:
    accepted = ways_to_split(final_answer(answer))
    if set(said) & set(accepted):
        return right(shown, "the same elements")
    if any(_inside(elements, accepted[-1]) for elements in said):
        return abstain("all elements stand inside a longer text", shown)
    return wrong(shown, "other elements than accepted")


def _inside(said: tuple[str, ...], accepted: tuple[str, ...]) -> bool:
    """Whether the answer is a sentence that names all elements: "they are red and blue"."""
    told = " ".join(said)
    wrapped = any(
        part != element and contains_words(part, element) for part in said for element in accepted
    )
    return wrapped and all(contains_words(told, element) for element in accepted)


def ways_to_split(text: str) -> list[tuple[str, ...]]:
    """The elements in normal form and sorted, for every way to split; at least one way."""
    parts = _from_json(text)
    if parts is not None:
        return [_elements(parts)]
    text = text.strip().strip("[](){}")
    if _STRONG.search(text):
        return [_elements(_STRONG.split(text))]
    return [_elements(pattern.split(text)) for pattern in (_COMMA, _AND)]


def _from_json(text: str) -> list[str] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return [str(part) for part in value] if isinstance(value, list) else None


def _elements(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(_element(part) for part in parts if part.strip(" \t\"'")))


def _element(part: str) -> str:
    """Numbers by their value, so that `1.50` equals `1.5`; anything else in normal form."""
    part = re.sub(r"^\s*and\s+", "", part)
    value = quantities(part)
    bare = value[0] if len(value) == 1 else None
    if bare is not None and re.fullmatch(r"\s*[\d.,]+\s*", part):
        return format(bare.number.normalize(), "f")
    return normal_form(part)
