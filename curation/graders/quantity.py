"""Numbers as people write them: separators, exponents, fractions, scale words, percent, units."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass, field, replace
from decimal import Decimal

from curation.graders.cjk import cjk_to_digits
from curation.graders.numerals import words_to_digits
from curation.graders.units import PERCENT, SCALES, UNITS, unit_of

_ONE = Decimal(1)
_MAX_POWER = 60
_DOUBTFUL = re.compile(r"(-?)([1-9]\d{0,2})([.,])(\d{3})")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of a text; its value is `number * scale`, in hundredths where `percent`."""

    number: Decimal
    scale: Decimal = _ONE
    percent: bool = False
    unit: tuple[str, Decimal] | None = None
    """What it measures and how many base units it is."""
    integer: bool = field(default=False, compare=False)
    """Written with digits only."""
    others: tuple[Decimal, ...] = field(default=(), compare=False)
    """Less likely readings of the same digits: `1.234` in Germany, `(5)` in a balance."""

    def __str__(self) -> str:
        shown = f"{self.number * self.scale:f}" + "%" * self.percent
        return f"{shown} {self.unit[0]}" if self.unit else shown


_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SIGNS = str.maketrans("−–—‐‑’٬٫º∕⁄", "-----',.°//")
_BALANCE = re.compile(r"\([^()\d]*\d[\d.,\s']*\W?\)")
_SIMPLE = re.compile(r"-?\d+(?:\.\d+)?%?", re.ASCII)
_REWRITES = tuple(
    (signs, re.compile(pattern), replacement)
    for signs, pattern, replacement in (
        ("\\", r"\\d?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2"),
        ("\\", r"\\times|\\cdot", "×"),
        ("{", r"(?<=\d)\{,\}(?=\d)", ","),
        ("_", r"(?<=\d)_(?=\d{3})", ""),
        ("‰", r"(?<=\d)\s?‰", "e-3"),
        ("\\", r"\\([%$,; ])", r"\1"),
        ("$", r"\$([^$]*)\$", r"\1"),
        ("^", r"\^\s*[{(]([^{}()]*)[})]", r"^\1"),
        ("M", r"(?<=\d)\s?M(?![^\W\d_])", " million"),
        ("$€£", r"(?<=[$€£])(\d[\d.,]*)\s?m\b", r"\1 million"),
        ("nN负", r"(?i)\b(?:minus|negative|moins|menos)\s+|负", "-"),
        ("cC", r"(?i)\bper cent\b|\bpour cent\b|\bpor ciento\b|\bper cento\b", "percent"),
        ("°dD", r"(?i)(?:°|\bdegrees?)\s*(c|f)(?:elsius|ahrenheit)?\b", r"°\1"),
        ("=≈", r"^(.*)[=≈]\s*(?=\S)", ""),
        ("-", r"^-\s+(?=\d)", "-"),
    )
)
"""Signs of which one must be in the text for a rule to be tried, what it looks for, and what it
writes in its place."""
_NUMBER = re.compile(
    r"""
    (?<![0-9a-zà-öø-ÿ_^])(?<!\d[.,])
    (?P<sign>(?<![\d)%])[-+])?
    (?P<currency>(?:(?:us|r)?[$€£¥₹₩₽]|(?:usd|eur|gbp|jpy|cny|rmb|inr|krw|brl|chf|rub)\b)\s?)?
    (?P<late_sign>-)?
    (?:
        (?<!/)(?:(?P<whole>\d+)\s)?(?P<top>\d+)\s?/\s?(?P<bottom>\d+)(?![\d/]|[.,]\d)
      | (?:(?P<factor>\d+(?:[.,]\d+)?)\s?[×x*·]\s?)?10\s?(?:\^|\*\*)\s?(?P<power>[+-]?\d+)
      | (?P<digits>\d{1,3}(?:[ ']\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*|[.,]\d+)
        (?:e(?P<exponent>[+-]?\d+)(?![^\W_]))?
    )
    """,
    re.VERBOSE,
)
_AFTER = re.compile(
    r"""
    \s?(?:(?:de|di)\s|d')?-?\s?
    ((?:us|r)\$|[%°$€£¥₹₩₽¢][cf]?(?![^\W\d_])|[^\W\d_]+)
    (?:\^(\d))?
    (?:\s?(?:/|\bper\b)\s?([^\W\d_]+))?
    """,
    re.VERBOSE,
)


@functools.lru_cache(maxsize=4096)
def quantities(text: str) -> tuple[Quantity | None, ...]:
    """Every number of a text in order; None stands for digits that are no number: `1.2.3`."""
    text = text.strip()
    if _SIMPLE.fullmatch(text):
        percent = text.endswith("%")
        digits = text.removesuffix("%")
        return (_plain(digits, percent),)
    spelt = _spell(text)
    found = tuple(_quantity(match, spelt) for match in _NUMBER.finditer(spelt))
    if len(found) == 1 and found[0] is not None and _BALANCE.fullmatch(text):
        return (replace(found[0], others=(*found[0].others, -found[0].number)),)
    return found


def _plain(digits: str, percent: bool) -> Quantity:
    number = Decimal(digits)
    integer = "." not in digits and not percent
    others = () if integer else other_readings(digits)
    return Quantity(number, percent=percent, integer=integer, others=others)


def _spell(text: str) -> str:
    """The text in lower case and plain signs, with number words as digits."""
    if not text.isascii():
        text = re.sub(r"(?<=\d)(?=[¼½¾⅐-⅞])", " ", text)
        text = re.sub("[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda run: "^" + run[0].translate(_SUPERSCRIPTS), text)
        text = unicodedata.normalize("NFKC", text.translate(_SIGNS)).translate(_SIGNS)
    for signs, pattern, replacement in _REWRITES:
        if any(sign in text for sign in signs):
            text = pattern.sub(replacement, text)
    if not text.isascii():
        text = cjk_to_digits(text)
    return words_to_digits(text.lower())


def _quantity(found: re.Match[str], text: str) -> Quantity | None:
    number = _number(found)
    if number is None:
        return None
    if found["sign"] == "-" or found["late_sign"]:
        number = -number
    scale, percent, unit = _qualifiers(text, found.end())
    if found["currency"]:
        unit = UNITS[found["currency"].strip()]
    plain = scale == 1 and not percent and unit is None
    whole = plain and found[0].strip("+-").isdigit()
    others = () if whole or not found["digits"] else other_readings(found["digits"])
    if others and number < 0:
        others = tuple(-other for other in others)
    return Quantity(number, scale, percent, unit, whole, others)


def _number(found: re.Match[str]) -> Decimal | None:
    if found["top"]:
        bottom = Decimal(found["bottom"])
        fraction = Decimal(found["top"]) / bottom if bottom else None
        return None if fraction is None else Decimal(found["whole"] or 0) + fraction
    digits, power = found["digits"] or found["factor"] or "1", found["power"] or found["exponent"]
    number = read_digits(digits)
    if number is None or (power and abs(int(power[:8])) > _MAX_POWER):
        return None
    return number.scaleb(int(power)) if power else number


def read_digits(digits: str) -> Decimal | None:
    """Digits with separators, English style where both styles would do.

    `1,234` is 1234 and `1.234` is 1.234; `1.234,5`, `1.234.567` and `1,5` can only be European.
    Groups of three, or of two before the last three as in India; anything else is no number.
    """
    digits = digits.replace(" ", "").replace("'", "")
    last = max(digits.rfind(","), digits.rfind("."))
    if last < 0:
        return Decimal(digits)
    mark, other = digits[last], ",."[digits[last] == ","]
    whole, decimals = digits[:last], digits[last + 1 :]
    if mark in whole:
        grouped = other not in whole and _well_grouped(digits.split(mark))
        return Decimal(digits.replace(mark, "")) if grouped else None
    if other in whole:
        groups = whole.split(other)
        return Decimal(f"{''.join(groups)}.{decimals}") if _well_grouped(groups) else None
    if mark == "," and _well_grouped([whole, decimals]):
        return Decimal(whole + decimals)
    return Decimal(f"{whole or 0}.{decimals}")


def other_readings(digits: str) -> tuple[Decimal, ...]:
    """What a lone separator before three digits means elsewhere: 1234 for `1.234`, and back."""
    found = _DOUBTFUL.fullmatch(digits)
    if found is None:
        return ()
    sign, whole, mark, rest = found.groups()
    return (Decimal(f"{sign}{whole}{rest}" if mark == "." else f"{sign}{whole}.{rest}"),)


def _well_grouped(groups: list[str]) -> bool:
    head, *middle, last = groups
    if not 1 <= len(head) <= 3 or head.startswith("0") or len(last) != 3:
        return False
    return all(len(group) == 3 for group in middle) or (
        len(head) <= 2 and all(len(group) == 2 for group in middle)
    )


def _qualifiers(text: str, position: int) -> tuple[Decimal, bool, tuple[str, Decimal] | None]:
    """Scale, percent and unit in the words that follow a number."""
    scale = _ONE
    while found := _AFTER.match(text, position):
        word, power, below = found.groups()
        if word in PERCENT:
            return scale, True, None
        if word not in SCALES:
            return scale, False, _unit(word, power, below)
        scale *= SCALES[word]
        position = found.end()
    return scale, False, None


def _unit(word: str, power: str | None, below: str | None) -> tuple[str, Decimal] | None:
    """Unit of `km`, `m^2` or `km/h`, so that what measures the same can be compared."""
    unit = unit_of(word)
    if unit is None:
        return None
    dimension, factor = unit
    if power:
        dimension, factor = f"{dimension}^{power}", factor ** int(power)
    divisor = unit_of(below) if below else None
    if divisor:
        dimension, factor = f"{dimension}/{divisor[0]}", factor / divisor[1]
    return dimension, factor
