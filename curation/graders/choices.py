"""Multiple choice: letters, option texts, or both."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curation.graders.base import Grade, abstain, best, final_answer, right, unanimous, wrong
from curation.graders.normal import contains_words, denies, normal_form, plain, typographic
from curation.graders.quantity import quantities

_SHORT = 20
"""Characters of an answer that is no sentence."""

Reading = frozenset[int]
"""Positions of the options that an answer names."""

_LABEL = re.compile(r"^[(\[{]?([A-Za-z])[)\]}]?(?:[.:),]\s*(?!\d)|\s+-\s+|\s*$)")
_JOIN = r"(?:\s*(?:,|;|&|/|\+|\band\b|\bor\b|\bund\b|\boder\b|\bet\b|\bou\b|、|和|或)\s*)"
_LABELS = re.compile(
    rf"(?:(?i:both|beide|les deux)\s+)?\(?\b([A-Z])\b\)?(?:{_JOIN}+\(?\b([A-Z])\b\)?)+"
)
_OR = re.compile(r"\b(?:or|oder|ou)\b|或")
_COMPACT = re.compile(r"[A-Z]{2,}")
_NAMED = re.compile(
    r"(?:(?i:\b(?:option|choice|answer|letter)(?:\s+is)?\s*:?\s*)|选项?\s*)"
    r"(?:\(([A-Za-z])\)|([A-Z])(?![\w']))"
    r"|\(([A-Z])\)",
)
_ALONE = re.compile(
    r"(?<![A-Za-z0-9'])(?!I\s+[a-z]|A\s+(?!(?:is|or|and|nor|but|rather)\b)[a-z])([A-Z])(?![A-Za-z0-9'])"
)
"""A letter by itself that is neither an article nor a pronoun."""
_FIRST_WORD = re.compile(r"^[A-Z]\s+(?:is|ist|est|es|é|è)\b|^[A-Z][^\x00-\x7f]")
_LAST_LABEL = re.compile(r"\s\(([A-Z])\)\.?$")
_OTHER_LABEL = re.compile(
    r"\d{1,2}|[^\W\d_a-zA-Z]|.*\b(?:first|second|third|fourth|fifth|last|latter|former)\b.*"
)
"""What may name an option in a way that the data set does not show: `2`, `Б`, `the second`."""


def choice(prediction: str, answers: Sequence[str], choices: Sequence[str] = ()) -> Grade:
    """The same options as the accepted answer names; a hedge over several is wrong.

    Letter and text of one answer must name the same option, otherwise nobody knows what was meant
    and the grader abstains. Without `choices` letters are compared, or texts where there are none.
    """
    said = final_answer(typographic(prediction)).rstrip(" .;!")
    options = [_without_label(option.strip(), place) for place, option in enumerate(choices)]
    return best(_against(said, final_answer(typographic(answer)), options) for answer in answers)


def _against(said: str, gold: str, options: list[str]) -> Grade:
    golds = readings(gold, options)
    if plain(said) == plain(gold) and (golds or not options):
        return right(said, "equal to the accepted answer")
    if not golds:
        return _as_text(said, gold) if not options else abstain(f"{gold!r} is none of the options")
    if _LABELS.fullmatch(said) and _OR.search(said):
        return wrong(said, "names alternatives")
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
    labels = [letter for letter in _ALONE.findall(said) if _in_range([letter], options)]
    elsewhere = _OTHER_LABEL.fullmatch(said) and not any(map(quantities, options))
    unclear = labels or elsewhere or not options or denies(said)
    if unclear or len(said) > max(longest, _SHORT):
        return abstain("no single option can be read from the answer", said)
    return wrong(None, "names no single option")


def _as_text(said: str, gold: str) -> Grade:
    if normal_form(said) == normal_form(gold):
        return right(said, "equal in normal form")
    if _LABEL.fullmatch(said):
        return abstain("a letter, and the options are not known", said)
    return wrong(said, "differs from the accepted answer")


def readings(text: str, options: list[str]) -> set[Reading] | None:
    """Every way to read an answer; empty when it names no option, None when it contradicts itself.

    More than one reading: options that are letters themselves ("Which point is closest?").
    """
    letters = _by_letter(text, options)
    label = _LABEL.match(text)
    if label and label.end() < len(text) and not letters:
        return _labelled(label[1], text[label.end() :], options)
    if not letters and (last := _LAST_LABEL.search(text)):
        return _labelled(last[1], text[: last.start()], options)
    found = {reading for reading in (_by_text(text, options), letters) if reading}
    if found:
        return found
    named, held = _named(text, options), _contained(text, options)
    told = named or _in_range(_ALONE.findall(text), options)
    if told and held and told != held:
        return None
    return {reading for reading in (named, held, _compact(text, options)) if reading}


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


def _labelled(letter: str, rest: str, options: list[str]) -> set[Reading] | None:
    """`(B) red`: the text beside the letter must not name another option."""
    named = _in_range([letter], options)
    if named is None:
        return set()
    meant = _by_text(rest, options) or _contained(rest, options)
    others = _in_range(_ALONE.findall(rest), options)
    return {named} if {meant, others} <= {None, named} else None


def _named(text: str, options: list[str]) -> Reading | None:
    """`Option B because ...`, `it must be (B)`, `I would go with B`, `B is correct`."""
    if denies(text):
        return None
    letters = {"".join(groups) for groups in _NAMED.findall(text)}
    alone = _ALONE.findall(text)
    if not letters and len(set(alone)) == 1 and (text[-1:] == alone[0] or _FIRST_WORD.match(text)):
        letters = set(alone)
    return _in_range(sorted(letters), options)


def _contained(text: str, options: list[str]) -> Reading | None:
    """The only option whose text stands in a sentence that negates nothing.

    Of "left" and "left and right" the longer one counts where both stand there.
    """
    said = normal_form(text)
    if denies(text):
        return None
    held = {
        place: form
        for place, option in enumerate(options)
        if contains_words(said, form := normal_form(option))
    }
    longest = [
        place
        for place, form in held.items()
        if not any(form != other and contains_words(other, form) for other in held.values())
    ]
    return frozenset(longest) if len(longest) == 1 else None


def _compact(text: str, options: list[str]) -> Reading | None:
    """`AC` for A and C."""
    in_order = _COMPACT.fullmatch(text) and list(text) == sorted(set(text))
    return _in_range(text, options) if in_order and options else None


def _in_range(letters: Sequence[str], options: list[str]) -> Reading | None:
    """Positions of the letters, None if one has no option; without options any letter will do."""
    places = frozenset(ord(letter.upper()) - ord("A") for letter in letters)
    if not places or (options and max(places) >= len(options)):
        return None
    return places


def _without_label(option: str, place: int) -> str:
    """`B. red` as second option is `red`."""
    letter = re.escape(_name(frozenset({place})))
    label = re.match(rf"[(\[]?{letter}[)\]]?[.:)]?\s*(?=\S)", option)
    marked = label and not label[0].strip().isalpha()
    return option[label.end() :] if label and marked else option


def _name(reading: Reading) -> str:
    return ", ".join(chr(ord("A") + place) for place in sorted(reading))
