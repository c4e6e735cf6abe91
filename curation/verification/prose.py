"""What the model's words are like: loops, length, language, refusals."""

from __future__ import annotations

import re
from collections import Counter

from curation.verification.case import Case, Finding

MAX_TOKENS = 20480
"""`cutoff_len` of DeepEyesV2's cold start: LLaMA-Factory cuts what is longer without a word."""
MAX_ANSWER = 300
"""Characters of a final answer; the published rewards give longer ones nothing."""

_BYTES_A_TOKEN = 4
_PIXELS_A_TOKEN = 28 * 28
_MAX_IMAGE_TOKENS = 16384
"""What the trainers' image preparation scales down to."""

_BLOCKS = re.compile(r"<(code|tool_call)>.*?</\1>", re.DOTALL)
_TAG = re.compile(r"</?[a-z_]+>")
_LOOP = re.compile(r"([^\W\d].{1,39}?)\1{7}", re.DOTALL)
"""A piece of up to 40 characters eight times in a row; numbers may hold that many zeros."""
_LINE_LOOP = re.compile(r"^([ \t]*[^\W\d].*\n)\1{7}", re.MULTILINE)
_PHRASE = 6
"""Words of a phrase that must not come again and again."""
_MOST = 3

_SCRIPTS = {
    "Chinese or Japanese": "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff",
    "Korean": "\u1100-\u11ff\uac00-\ud7af",
    "Cyrillic": "\u0400-\u052f",
    "Arabic": "\u0600-\u06ff",
    "Hebrew": "\u0590-\u05ff",
    "Devanagari": "\u0900-\u097f",
    "Thai": "\u0e00-\u0e7f",
    "Latin": "A-Za-z\u00c0-\u024f",
}
_LETTERS = {name: re.compile(f"[{span}]") for name, span in _SCRIPTS.items()}
_FOREIGN_SHARE = 0.1
_FOREIGN_LETTERS = 8

_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|\bi(?:'m| am) (?:sorry|afraid),? (?:but )?(?:i|that)\b"
    r"|\bi (?:can(?:no|')t|am (?:not able|unable) to|'m (?:not able|unable) to) "
    r"(?:assist|help|comply|fulfil|(?:directly )?(?:view|see|access|open|process|analy[sz]e)"
    r" (?:the |this |that |any |your )?(?:image|picture|photo|file)s?)"
    r"|\bi do(?:n't| not) have (?:access to|the ability to)\b",
    re.IGNORECASE,
)


def prose(text: str) -> str:
    """A turn without its code, calls and tags."""
    return _TAG.sub(" ", _BLOCKS.sub(" ", text))


def repetition(case: Case) -> Finding:
    """No loop inside a turn, and no action made twice with the same result."""
    for number, text in enumerate(case.texts, start=1):
        said = prose(text)
        if found := _LOOP.search(said) or _LINE_LOOP.search(text):
            return Finding(False, f"turn {number} repeats {found[1]!r}", number)
        if phrase := _worn(said):
            return Finding(False, f"turn {number} says {phrase!r} again and again", number)
    seen: dict[tuple[str, ...], int] = {}
    for position, _, call in case.executed:
        key = (call.name, call.arguments.strip(), call.text, *call.image_ids)
        if key in seen:
            return Finding(
                False, f"turn {position + 1} does what turn {seen[key]} did", position + 1
            )
        seen[key] = position + 1
    return Finding(True, "nothing is repeated")


def _worn(text: str) -> str | None:
    words = text.split()
    phrases = Counter(tuple(words[i : i + _PHRASE]) for i in range(len(words) - _PHRASE + 1))
    phrase, times = max(phrases.items(), key=lambda item: item[1], default=((), 0))
    return " ".join(phrase) if times > _MOST else None


def length(case: Case) -> Finding:
    """The conversation fits the trainers' limit by estimate, and the answer is short.

    A token is taken for 4 bytes of text or 28 by 28 pixels.
    """
    told = sum(len(call.text.encode()) for _, _, call in case.executed)
    opening = case.dialect.opening(case.question, len(case.image_ids))
    told += sum(len(message.content.encode()) for message in opening)
    told += sum(len(text.encode()) for text in case.texts)
    images = (*case.image_ids, *case.shown)
    tokens = told // _BYTES_A_TOKEN + sum(_image_tokens(case, each) for each in images)
    if tokens > MAX_TOKENS:
        return Finding(False, f"about {tokens} tokens; trainers cut after {MAX_TOKENS}")
    if len(case.rollout.prediction or "") > MAX_ANSWER:
        return Finding(False, f"the answer has more than {MAX_ANSWER} characters")
    return Finding(True, f"about {tokens} tokens")


def _image_tokens(case: Case, image_id: str) -> int:
    look = case.gallery.seen(image_id)
    pixels = look.size[0] * look.size[1] if look else 0
    return min(pixels // _PIXELS_A_TOKEN, _MAX_IMAGE_TOKENS)


def language(case: Case) -> Finding:
    """No turn slips into a script that neither the question nor anything read so far uses.

    Latin is everybody's: teachers think in English about questions in any language.
    """
    known = case.question + " ".join(case.answers)
    for number, turn in enumerate(case.rollout.turns, start=1):
        said = prose(turn.text)
        letters = sum(character.isalpha() for character in said)
        for name, pattern in _LETTERS.items():
            count = len(pattern.findall(said)) if not said.isascii() else 0
            slipped = count >= _FOREIGN_LETTERS and count > _FOREIGN_SHARE * letters
            if slipped and name != "Latin" and not pattern.search(known):
                return Finding(False, f"turn {number} slips into {name}", number)
        known += turn.call.text if turn.call else ""
    return Finding(True, "one language throughout")


def refusal(case: Case) -> Finding:
    """The model does not decline, nor speak of itself as a language model."""
    for number, text in enumerate(case.texts, start=1):
        if found := _REFUSAL.search(prose(text)):
            return Finding(False, f"turn {number} says {found[0]!r}", number)
    return Finding(True, "no refusal")
