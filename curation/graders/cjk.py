"""Numbers in East Asian script: `三百五十`, `1亿2000万`, `3만 5천`, `百分之四十`, `三分之二`."""

from __future__ import annotations

import re
from decimal import Decimal

_DIGITS = {
    sign: value
    for line in ("零一二三四五六七八九", "〇壹贰叁肆伍陆柒捌玖", " 壱弐参")
    for value, sign in enumerate(line)
    if sign != " "
} | dict.fromkeys("两兩両", 2)
_UNITS = dict.fromkeys("十拾십", 10) | dict.fromkeys("百佰백", 100) | dict.fromkeys("千仟천", 1000)
_GROUPS = (
    dict.fromkeys("万萬만", 10**4) | dict.fromkeys("亿億억", 10**8) | dict.fromkeys("兆조", 10**12)
)
_SIGNS = "".join((*_DIGITS, *_UNITS, *_GROUPS))
_RUN = re.compile(rf"(?!千[克米])[{_SIGNS}\d](?:[{_SIGNS}点點\d]|[.,](?=\d)|\s(?=\d+[{_SIGNS}]))*")
_TOKEN = re.compile(rf"\d[\d.,]*|[{_SIGNS}]")
_SHARE = re.compile(rf"([{_SIGNS}\d]+)分之([{_SIGNS}点點\d.]+)")
UNREADABLE = "0.0.0"
"""What no reader of digits takes for a number: `三百五` is 350 in Chinese and 305 in Japanese."""


def cjk_to_digits(text: str) -> str:
    """The text with its numbers in East Asian script as digits.

    One sign alone is left as it is: `一` and `十` stand in many words that are no numbers.
    """
    return _RUN.sub(lambda run: _digits(run[0]), _SHARE.sub(_share, text))


def _share(found: re.Match[str]) -> str:
    """`百分之四十` as 40%, `三分之二` as 2/3."""
    below, above = (str(_DIGITS.get(part, _digits(part))) for part in found.groups())
    return f"{above}%" if below == "百" else f"{above}/{below}"


def _digits(run: str) -> str:
    if len(run) == 1 or not any(sign in _SIGNS for sign in run):
        return run
    if all(sign in _DIGITS or sign in "点點" for sign in run):
        return "".join(str(_DIGITS.get(sign, ".")) for sign in run)
    value = _value(_TOKEN.findall(run))
    return UNREADABLE if value is None else f"{value:f}"


def _value(tokens: list[str]) -> Decimal | None:
    """Groups of 10,000 and more, of units up to 1,000, of digits; None where that is ambiguous."""
    total = section = Decimal(0)
    digit: Decimal | None = None
    weight = 1
    for token in tokens:
        if token in _GROUPS:
            weight = _GROUPS[token]
            section += digit or 0
            total = total * weight if total and not section else total + (section or 1) * weight
            section, digit = Decimal(0), None
        elif token in _UNITS:
            weight = _UNITS[token]
            section += weight * (1 if digit is None else digit)
            digit = None
        elif digit:
            return None
        else:
            weight = 1 if digit == 0 or len(token) > 1 else weight
            digit = _digit(token)
            if digit is None:
                return None
    return None if digit and weight > 10 else total + section + (digit or 0)


def _digit(token: str) -> Decimal | None:
    if token in _DIGITS:
        return Decimal(_DIGITS[token])
    plain = re.fullmatch(r"\d+(?:\.\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?", token)
    return Decimal(token.replace(",", "")) if plain else None
