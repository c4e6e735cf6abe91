"""Numbers written as words: English ones anywhere in a text, others as the whole answer."""

from __future__ import annotations

import re

from curation.graders.normal import NUMBER_WORDS

_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * value for value, word in enumerate(_TENS_WORDS.split(), 2)}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SMALL = {**NUMBER_WORDS, **_TENS}
# Longest first, so that "sixteen" is not read as "six".
_SMALL_WORDS = "|".join(sorted(_SMALL, key=len, reverse=True))
_WORDS = f"{_SMALL_WORDS}|{'|'.join(_SCALES)}"
_RUN = re.compile(rf"\b(?:{_SMALL_WORDS})(?:(?:[\s-]+|\s+and\s+|,\s*)(?:{_WORDS}))*\b")
_WORD = re.compile(f"{_WORDS}|and|,")
_PARTS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "tenth": 10}
_FRACTION = re.compile(rf"\b(\d+|an?)[\s-]+({'|'.join(_PARTS)})s?\b")
_ALONE = re.compile(r"\b(half\s+)?an?\s+(?=(?:dozen|hundred|thousand|million|billion)\b)")

_OTHER_LANGUAGES = {
    word: value
    for line in (
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn"
        " fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig",
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze"
        " seize dix-sept dix-huit dix-neuf vingt",
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez - doce trece catorce quince"
        " dieciséis diecisiete dieciocho diecinueve veinte",
        "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici"
        " quattordici quindici sedici diciassette diciotto diciannove venti",
        "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze"
        " dezesseis dezessete dezoito dezenove vinte",
        "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf",
        "ноль один два три четыре пять шесть семь восемь девять десять",
        "零 一 二 三 四 五 六 七 八 九 十 十一 十二 十三 十四 十五 十六 十七 十八 十九 二十",
        "〇 一 两 三 四 五 六 七 八 九 十",
        "영 하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉 열",
    )
    for value, word in enumerate(line.split())
}
# VQA reads "none" as 0.
_OTHER_LANGUAGES["none"] = 0
# Spanish 11 is left out: "once" answers "how many times?" in English.
_VAGUE = frozenset(["couple", "pair", "few", "several", "score"])
_ROMAN = re.compile(r"[IVXLCDM]+\.?")
_LETTERS = re.compile(r"[^\W\d_]+")
# Tens, hundreds and thousands of the languages above, as they begin or end a word.
_STEM = re.compile(
    r"(?:zig|ßig|zehn|hundert|tausend|tig|tien|honderd|duizend)$"
    r"|^(?:vingt|trente|quarante|cinquante|soixante|septante|octante|nonante|cent|cents|mille)$"
    r"|^(?:veinti|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa|cien$|ciento|mil$)"
    r"|^(?:vent[iu]|trent|quarant|cinquant|sessant|settant|ottant|novant|cento|mille|mila$)"
    r"|^(?:vinte|trinta|quarenta|cinquenta|sessenta|oitenta|cem$)"
    r"|(?:дцать|десят|сорок|девяносто|^сто$|двести|триста|четыреста|сот|тысяч)"
    r"|[十百千万萬亿億십백천만억]"
)
_CLASSIFIERS = "个個只隻本台辆张位人つ匹枚개명"


def words_to_digits(text: str) -> str:
    """The lower-case text with its number words as digits: `two thirds` becomes `2/3`."""
    stripped = text.strip(" .!")
    whole = _OTHER_LANGUAGES.get(stripped, _OTHER_LANGUAGES.get(stripped.rstrip(_CLASSIFIERS)))
    if whole is not None:
        return str(whole)
    if not _LETTERS.search(text):
        return text
    text = _ALONE.sub(lambda found: "0.5 " if found[1] else "one ", text)
    text = re.sub(r"(?<=\d) point (?=\d)", ".", _RUN.sub(lambda run: _digits(run[0]), text))
    text = re.sub(r"\bhalf\b", "1/2", _FRACTION.sub(_fraction, text))
    return re.sub(r"(?<=\d) and (?=\d+/\d)", " ", text)


def may_be_number(text: str) -> bool:
    """Whether a text without digits may name a number in words or letters that are not read."""
    words = _LETTERS.findall(text.lower())
    return bool(_ROMAN.fullmatch(text)) or any(
        word in _OTHER_LANGUAGES or word in _VAGUE or _STEM.search(word) for word in words
    )


def _fraction(found: re.Match[str]) -> str:
    top = "1" if found[1].startswith("a") else found[1]
    return f"{top}/{_PARTS[found[2]]}"


def _digits(run: str) -> str:
    value = _value(_WORD.findall(run))
    if value is not None:
        return str(value)
    return _WORD.sub(lambda word: str(_SMALL.get(word[0], word[0])), run)


def _value(words: list[str]) -> int | None:
    """`two thousand and five` as 2005; None for words that make no single number: `one two`."""
    total, group = 0, 0
    ceiling = room = 10**12
    for word in words:
        scale = _SCALES.get(word, 0)
        if word in ("and", ","):
            fits = room >= 100
        elif word == "hundred":
            fits = 0 < group < 100
            group, room = group * scale, scale
        elif scale:
            fits = scale < ceiling
            total, group, room, ceiling = total + group * scale, 0, scale, scale
        else:
            fits = _SMALL[word] < room
            group, room = group + _SMALL[word], 10 if word in _TENS else 1
        if not fits:
            return None
    return total + group
