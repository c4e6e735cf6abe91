"""The normal form in which texts are compared: what VQA and TextVQA ignore, in any script.

Follows the answer processing of the VQA evaluation (Antol et al. 2015), which TextVQA uses as well:
lower case, no articles, no punctuation around words, number words as digits. Accents stay: they
tell words apart in most languages that have them.
"""

from __future__ import annotations

import functools
import re
import unicodedata

_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
NUMBER_WORDS = {word: value for value, word in enumerate(_UP_TO_TWENTY.split())}
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_AS_DIGITS = {word: str(value) for word, value in NUMBER_WORDS.items()} | {
    word: f"{place}{_ENDINGS.get(place, 'th')}"
    for place, word in enumerate(_ORDINALS.split(), start=1)
}

_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`", "'"),
        **dict.fromkeys("“”„‟″«»「」『』", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("。｡", "."),
        "、": ",",
        **dict.fromkeys("\u00ad\u200b\u200e\u200f\u2066\u2067\u2068\u2069\ufeff\u0640", ""),
    }
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe"})
_ARTICLES = frozenset({"a", "an", "the"})
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_INSIDE = re.compile(r"'|(?<!\d)\.(?!\d)")
_JOINS = re.compile(r"(?<=[^\W\d_])[-/](?=[^\W\d_])")
_DENIAL = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|except|kein\w*|nicht|pas|ni|non|não|не|нет)\b|n't|不|没|非"
    r"|\b(?:rather than|instead of|unlike|anstatt|statt|plutôt que|au lieu de|en lugar de)\b"
)

# Signs that carry meaning beside a word (-5, 5%, $5, C++, #1, @name, 5°) stay.
_EDGE_LEFT = "\"'.,;:!?()[]{}<>*_/\\|~¡¿"
_EDGE_RIGHT = _EDGE_LEFT + "-"
_APART = re.compile(r"(?<=\d)\s+(?=[%‰°])|(?<=[$€£¥₹₩₽])\s+(?=\d)")


def typographic(text: str) -> str:
    """Compatible characters unified, typographic quotes and dashes made plain."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text.translate(_TYPOGRAPHY))


def plain(text: str) -> str:
    """Typography made plain, one case."""
    return text.lower() if text.isascii() else typographic(text).casefold()


def _trim(word: str) -> str:
    """A word without the punctuation around it; `.5` keeps its decimal point."""
    stripped = word.rstrip(_EDGE_RIGHT).lstrip(_EDGE_LEFT)
    start = len(word.rstrip(_EDGE_RIGHT)) - len(stripped)
    if stripped[:1].isdigit() and word[start - 1 : start] == ".":
        return "0." + stripped
    return stripped


@functools.lru_cache(maxsize=4096)
def normal_form(text: str) -> str:
    """The text as it is compared; texts of only punctuation or articles keep what they are."""
    joined = _JOINS.sub(" ", _GROUPED.sub("", plain(text))).replace("&", " and ")
    joined = _APART.sub("", joined)
    words = [_INSIDE.sub("", _trim(word)) for word in joined.split()]
    kept = [_AS_DIGITS.get(word, word) for word in words if word and word not in _ARTICLES]
    return " ".join(kept or filter(None, words)) or " ".join(plain(text).split())


@functools.lru_cache(maxsize=4096)
def folded(form: str) -> str:
    """A normal form without accents and spaces: what differs only there may be the same word."""
    joined = form.replace(" ", "")
    if joined.isascii():
        return joined
    signs = unicodedata.normalize("NFD", joined.translate(_UMLAUTS))
    return "".join(sign for sign in signs if unicodedata.category(sign) != "Mn")


def denies(text: str) -> bool:
    """Whether something in the text is denied: what it names may be what the answer is not."""
    return _DENIAL.search(plain(text)) is not None


def contains_words(text: str, words: str) -> bool:
    """Whether one normal form holds the other as whole words.

    Scripts without spaces have no word bounds, so there any substring counts.
    """
    if not words:
        return False
    if any("\u2e80" <= sign <= "\ud7ff" for sign in words):
        return words in text
    return f" {words} " in f" {text} "
