"""How text becomes the words that are indexed and searched, in every language alike.

Words are runs of letters, marks and digits, in lower case, without accents, English endings cut
off. In scripts that are written without spaces a word cannot be told without a dictionary: there
every character and every pair of neighbours is a word, as in Lucene's CJK analysis.
"""

from __future__ import annotations

import functools
import re
import unicodedata

import tantivy

_LONGEST = 64
"""Bytes of a word; longer ones are encoded data, not language."""

# Thai, Lao, Burmese, Khmer, kana, bopomofo, CJK ideographs (also beyond the BMP), Hangul. Korean
# has spaces, but its particles stick to the words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af]+"
)


def spaced(text: str, *, singles: bool = True) -> str:
    """The text with blanks between the pieces of unspaced scripts.

    singles: give characters besides pairs, for documents; a query has its pairs alone, unless it
        is a single character
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return _UNSPACED.sub(lambda run: f" {_pieces(run[0], singles)} ", text)


def _pieces(run: str, singles: bool) -> str:
    pairs = [run[at : at + 2] for at in range(len(run) - 1)]
    return " ".join([*run, *pairs] if singles else pairs or [run])


@functools.cache
def analyzer() -> tantivy.TextAnalyzer:
    """Splits text that is already `spaced` into words."""
    words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(r"[\p{L}\p{M}\p{N}]+"))
    filters = (
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.remove_long(_LONGEST),
        tantivy.Filter.stemmer("english"),
    )
    for each in filters:
        words = words.filter(each)
    return words.build()


def query_words(query: str, most: int) -> list[str]:
    """The distinct words of a query, `most` of them at the most; never syntax."""
    text = query.encode(errors="ignore").decode()
    return list(dict.fromkeys(analyzer().analyze(spaced(text, singles=False))))[:most]
