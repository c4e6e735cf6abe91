"""Dates, as precise as the accepted answer is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from curation.graders.base import Grade, abstain, best, final_answer, unanimous, wrong
from curation.graders.normal import denies, plain

Date = tuple[int | None, int | None, int | None]
"""Year, month, day; None where the text leaves one out."""

_MONTHS = {
    name: month
    for names in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "jänner feb mär apr mai jun jul aug sept okt nov dez",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
        " dicembre",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października"
        " listopada grudnia",
        "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
        "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
        "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
        "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    )
    for month, name in enumerate(plain(names).split(), 1)
}
_NAME = "|".join(sorted(_MONTHS, key=len, reverse=True))
_YEAR = r"(?P<y>\d{4})"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th|er|º|\.)?"
_FORMS = tuple(
    re.compile(rf"(?:^|(?<=[\s(]))(?:{form})(?=$|[\s.,)])")
    for form in (
        rf"{_YEAR}[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})(?:t[\d:.z+-]*)?",
        rf"{_DAY}\s*(?:of\s+|de\s+|-)?(?P<name>{_NAME})\.?,?\s*(?:de\s+|del\s+|-)?{_YEAR}?",
        rf"(?P<name>{_NAME})\.?\s+{_DAY}(?:,?\s+{_YEAR})?",
        rf"(?P<name>{_NAME})\.?,?\s*(?:de\s+|of\s+)?{_YEAR}",
        rf"(?P<name>{_NAME})\.?",
        r"(?P<m>\d{1,2})[/-](?P<y>\d{4})",
        rf"{_YEAR}[-/](?P<m>\d{{1,2}})",
        rf"(?:in\s+)?{_YEAR}",
    )
)
_OTHER = re.compile(
    r"令和|平成|昭和|大正|明治|民国|民國|佛历|พ\.?ศ|هـ|\bb\.?c\b|\bah\b"
    r"|\b(?:before|after|until|till|since|vor|nach|seit|bis|avant|après|depuis|antes|después"
    r"|desde|prima|dopo|до|после)\b|以前|以后|之前|之后"
)
"""Years of other calendars, and dates that only bound the one asked for."""
_UNREAD = re.compile(r"(?!(?:the|and|of|on|in|am|le|it|was|is|date)\b)[^\W\d_]{2,}|\d")
"""What is left of a text when its dates are read, and may be a part of one."""
_EAST = re.compile(
    r"(?=\d+\s*[年년月월日号일])(?:(?P<y>\d{4})\s*[年년])?"
    r"\s*(?:(?P<m>\d{1,2})\s*[月월])?\s*(?:(?P<d>\d{1,2})\s*[日号일])?"
)
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})([/.-])\s?(\d{1,2})\2\s?(\d{4}|\d{2})(?!\d)")


def date(prediction: str, answers: Sequence[str], choices: Sequence[str] = ()) -> Grade:
    """The same year, month and day, as far as the accepted answer gives them.

    `03/04/2020` is 4 March or 3 April: it is decided only where both readings agree.
    """
    said = final_answer(prediction)
    if denies(said) or _OTHER.search(plain(said)):
        return abstain("the date may be denied, a bound, or of another calendar", said)
    return best(_against(said, final_answer(answer)) for answer in answers)


def _against(said: str, gold: str) -> Grade:
    (found, rest), golds = _scan(said), dates(gold)
    if not golds:
        return abstain(f"the accepted answer {gold!r} is no date")
    unread = _UNREAD.search(rest) is not None
    if not found:
        digits = any(sign.isdigit() for sign in rest)
        return abstain("no date is read", said) if digits else wrong(None, "no date in the answer")
    shown = " | ".join(sorted(_shown(one) for one in found))
    if found == golds:
        return unanimous([True], shown, "the dates")
    outcomes = [_covers(one, accepted, unread) for one in found for accepted in golds]
    return unanimous(outcomes, shown, "the dates")


def _covers(said: Date, gold: Date, unread: bool) -> bool | None:
    """Whether every part of the accepted date is told; None where one may stand in the unread."""
    pairs = [(told, part) for told, part in zip(said, gold, strict=True) if part is not None]
    if all(told == part for told, part in pairs):
        return True
    missing_only = all(told in (None, part) for told, part in pairs)
    return None if missing_only and unread else False


def dates(text: str) -> frozenset[Date]:
    """Every date of a text, in every way to read it; empty when there is none."""
    return _scan(text)[0]


def _scan(text: str) -> tuple[frozenset[Date], str]:
    """The dates of a text, and the text without them."""
    text = " ".join(plain(text).split())
    found: set[Date] = set()

    def take(match: re.Match[str]) -> str:
        """Blank the match, so that the year of a full date is not read once more."""
        read = set(_orders(match)) if match.re is _NUMERIC else {_date(match.groupdict())}
        found.update(date for date in read if _exists(date))
        return " ; "

    for form in (_NUMERIC, _EAST, *_FORMS):
        text = form.sub(take, text)
    return frozenset(found), text


def _orders(match: re.Match[str]) -> Iterator[Date]:
    """Day first, and month first unless dots rule it out."""
    first, mark, second, digits = match.groups()
    year = int(digits)
    if len(digits) == 2:
        year += 1900 if year >= 50 else 2000
    yield year, int(second), int(first)
    if mark != ".":
        yield year, int(first), int(second)


def _exists(date: Date) -> bool:
    _, month, day = date
    return any(date) and (month is None or 1 <= month <= 12) and (day is None or 1 <= day <= 31)


def _date(parts: dict[str, str | None]) -> Date:
    name = parts.get("name")
    month = _MONTHS[name] if name else _whole(parts.get("m"))
    return _whole(parts.get("y")), month, _whole(parts.get("d"))


def _whole(digits: str | None) -> int | None:
    return int(digits) if digits else None


def _shown(date: Date) -> str:
    return "-".join("?" if part is None else f"{part:02d}" for part in date)
