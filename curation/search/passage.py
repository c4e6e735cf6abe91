"""The part of a long document that is about a query."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_LEAD = 5
"""A passage begins one part in so many of its length before the first word found."""


def passage(text: str, words: Sequence[str], characters: int) -> str:
    """The stretch of at most `characters` that holds most of the words; the start without any.

    The words are stems (`query_words`), so a word of the text matches by how it begins.
    """
    if len(text) <= characters:
        return text
    lead = characters // _LEAD
    start = max(0, _densest(text, words, characters - lead) - lead)
    if start:  # the first whole word, where there are blanks
        blank = re.compile(r"\s").search(text, start, start + lead)
        start = blank.end() if blank else start
    return text[start : start + characters]


def _densest(text: str, words: Sequence[str], width: int) -> int:
    """Where the window begins that has most different words, counting from a word."""
    alternatives = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    if not alternatives:
        return 0
    hits = [
        (hit.start(), hit[0].lower())
        for hit in re.finditer(rf"(?<![A-Za-z0-9])(?:{alternatives})", text, re.IGNORECASE)
    ]
    best = most = last = 0
    inside: Counter[str] = Counter()
    for start, word in hits:
        while last < len(hits) and hits[last][0] < start + width:
            inside[hits[last][1]] += 1
            last += 1
        if len(inside) > most:
            best, most = start, len(inside)
        inside[word] -= 1
        if not inside[word]:
            del inside[word]
    return best
