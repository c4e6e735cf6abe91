"""Multiple choice: letters, option texts, or both."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curation.graders.base import Grade, abstain, best, final_answer, right, unanimous, wrong
from curation.graders.normal import contains_words, denies, normal_form, plain
from curation.graders.quantity import quantities

_SHORT = 20
"""Characters of an answer that is no sentence."""

Reading = frozenset[int]
"""Positions of the options that an answer names."""

_LABEL = re.compile(r"^\(?([A-Za-z])\)?(?:[.:)]\s*|\s+-\s+|\s*$)")
_LABELS = re.compile(
    r"\(?\b([A-Z])\b\)?(?:\s*(?:,|;|&|/|\band\b|\bor\b|、|和)\s*\(?\b([A-Z])\b\)?)+"
)
_NAMED = re.compile(
    r"(?:(?i:\b(?:option|choice|answer|letter)(?:\s+is)?\s*:?\s*)|选项?\s*)\(?([A-Z])\)?(?![\w'])"
    r"|\(([A-Z])\)",
)


def choice(prediction: str, answers: Sequence[str], choices: Sequence[str] = ()) -> Grade:
    """The same options as the accepted answer names; a hedge over several is wrong.

    Letter and text of one answer must name the same option, otherwise nobody knows what was meant
    and the grader abstains. Without `choices` letters are compared, or texts where there are none.
    """
    said = final_answer(prediction)
    options = [_without_label(option.strip(), place) for place, option in enumerate(choices)]
    return best(_against(said, final_answer(answer), options) for answer in answers)


def _against(said: str, gold: str, options: list[str]) -> Grade:
    golds = readings(gold, options)
    if not golds:
        return _as_text(said, gold) if not options else abstain(f"{gold!r} is none of the options")
    if plain(said) == plain(gold):
        return right(said, "equal to the accepted answer")
    found = readings(said, options)
    if found is None:
        return abstain("letter and text name different options", said)
    if not found:
        return _unread(said, options)
    names = " | ".join(sorted(_name(reading) for reading in found))
    outcomes = [reading == accepted for reading in found for accepted in golds]
    return unanimous(outcomes, names, f"{names} and {_name(next(iter(golds)))}")


def _unread(said: str, options: list[str]) -> Grade:
    """Short text that is no option is wrong; a sentence may say it in its own words."""
    longest = max((len(option) for option in options), default=0)
    if len(said) > max(longest, _SHORT) or denies(said):
        return abstain("no single option can be read from the answer", said)
    return wrong(None, "names no single option")


def _as_text(said: str, gold: str) -> Grade:
    if normal_form(said) == normal_form(gold):
        return right(said, "equal in normal form")
    return wrong(said, "differs from the accepted answer")


def readings(text: str, options: list[str]) -> set[Reading] | None:
    """Every way to read an answer; empty when it names no option, None when it contradicts itself.

    More than one reading: options that are letters themselves ("Which point is closest?").
    """
    letters = _by_letter(text, options)
    label = _LABEL.match(text)
    if label and label.end() < len(text) and not letters:
        return _labelled(label, text, options)
    found = {reading for reading in (_by_text(text, options), letters) if reading}
    if found:
        return found
    named = _named(text, options) or _contained(text, options)
    return {named} if named else set()


def _by_letter(text: str, options: list[str]) -> Reading | None:
    """`B`, `(b)`, `B.`, `A, C`, `A and C`."""
    several = _LABELS.fullmatch(text.strip(" ."))
    if several:
        letters = re.findall(r"\b[A-Z]\b", several[0])
    else:
        label = _LABEL.fullmatch(text)
        letters = [label[1]] if label else []
    return _in_range(letters, options)


def _by_text(text: str, options: list[str]) -> Reading | None:
    """The option whose text this is, in normal form or as the same number."""
    wanted = normal_form(text)
    equal = [place for place, option in enumerate(options) if normal_form(option) == wanted]
    if not equal and (value := quantities(text)) and len(value) == 1 and value[0] is not None:
        equal = [place for place, option in enumerate(options) if quantities(option) == value]
    return frozenset(equal) if len(equal) == 1 else None


def _labelled(label: re.Match[str], text: str, options: list[str]) -> set[Reading] | None:
    """`(B) red`: the text after the letter must not name another option."""
    letter = _in_range([label[1]], options)
    if letter is None:
        return set()
    rest = text[label.end() :]
    meant = _by_text(rest, options) or _contained(rest, options)
    return {letter} if meant in (None, letter) else None


def _named(text: str, options: list[str]) -> Reading | None:
    """`Option B because ...`, `it must be (B)`."""
    if denies(text):
        return None
    letters = {first or second for first, second in _NAMED.findall(text)}
    return _in_range(sorted(letters), options)


def _contained(text: str, options: list[str]) -> Reading | None:
    """The only option whose text stands in a sentence that negates nothing."""
    said = normal_form(text)
    if denies(text):
        return None
    held = [
        place for place, option in enumerate(options) if contains_words(said, normal_form(option))
    ]
    return frozenset(held) if len(held) == 1 else None


def _in_range(letters: Sequence[str], options: list[str]) -> Reading | None:
    """Positions of the letters, None if one has no option; without options any letter will do."""
    places = frozenset(ord(letter.upper()) - ord("A") for letter in letters)
    if not places or (options and max(places) >= len(options)):
        return None
    return places


def _without_label(option: str, place: int) -> str:
    """`B. red` as second option is `red`."""
    letter = re.escape(_name(frozenset({place})))
    label = re.match(rf"\(?{letter}\)?[.:)]\s*(?=\S)", option)
    return option[label.end() :] if label else option


def _name(reading: Reading) -> str:
    return ", ".join(chr(ord("A") + place) for place in sorted(reading))
