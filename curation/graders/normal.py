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

_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`", "'"),
        **dict.fromkeys("“”„‟″«»「」『』", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("。｡", "."),
        "、": ",",
        "\u00ad": "",
        "\u200b": "",
        "\ufeff": "",
    }
)
_ARTICLES = frozenset({"a", "an", "the"})
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_INSIDE = re.compile(r"'|(?<!\d)\.(?!\d)")
_JOINS = re.compile(r"(?<=[^\W\d_])[-/](?=[^\W\d_])")
_DENIAL = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|except|kein\w*|nicht|pas|ni|non|não|не|нет)\b|n't|不|没|非"
)

# Signs that carry meaning beside a word (-5, 5%, $5, C++, #1, @name, 5°) stay.
_EDGE_LEFT = "\"'.,;:!?()[]{}<>*_/\\|~"
_EDGE_RIGHT = _EDGE_LEFT + "-"


def plain(text: str) -> str:
    """Compatible characters unified, typographic quotes and dashes made plain, one case."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text.translate(_TYPOGRAPHY)).casefold()


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
    words = [_INSIDE.sub("", _trim(word)) for word in joined.split()]
    kept = [str(NUMBER_WORDS.get(word, word)) for word in words if word and word not in _ARTICLES]
    return " ".join(kept) or " ".join(plain(text).split())


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
