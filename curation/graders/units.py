"""Words that scale or qualify a number: million, km, €, °C."""

from __future__ import annotations

import re
from decimal import Decimal

SCALES: dict[str, Decimal] = {
    word: Decimal(10) ** power
    for power, words in {
        2: "hundred hundreds",
        3: "thousand thousands k tausend tsd mille mil mila duizend tys bin ألف آلاف"
        " тыс тысяча тысячи тысяч",
        5: "lakh lakhs",
        6: "million millions mn mio mln millionen millón millones milione milioni milhão milhões"
        " miljoen milyon миллион миллиона миллионов млн مليون ملايين",
        7: "crore crores",
        9: "billion billions bn b milliarde milliarden mrd mld milliard milliards miliardo miliardi"
        " miljard milyar bilhão bilhões миллиард миллиарда миллиардов млрд مليار",
        12: "trillion trillions tn trilhão trilhões billionen billones трлн",
    }.items()
    for word in words.split()
}
SCALES["dozen"] = SCALES["dozens"] = Decimal(12)
"""Lower-case scale words; a lone `M` is a million, a lone `m` a metre or a million."""

_FAMILIES: dict[str, dict[str, str]] = {
    "length": {
        "0.001": "mm millimeter millimeters millimetre millimetres",
        "0.01": "cm centimeter centimeters centimetre centimetres zentimeter",
        "1": "m meter meters metre metres mètre mètres metro metros 米",
        "1000": "km kilometer kilometers kilometre kilometres kilomètre kilomètres 公里 千米",
        "0.0254": "in inch inches",
        "0.3048": "ft foot feet",
        "0.9144": "yd yard yards",
        "1609.344": "mi mile miles",
    },
    "mass": {
        "0.001": "mg milligram milligrams",
        "1": "g gram grams gramm gramme grammes 克",
        "1000": "kg kilogram kilograms kilogramm kilo kilos 公斤 千克",
        "1000000": "t tonne tonnes",
        "453.59237": "lb lbs pound pounds",
        "28.349523125": "oz ounce ounces",
    },
    "time": {
        "0.001": "ms millisecond milliseconds",
        "1": "s sec secs second seconds sekunde sekunden seconde secondes 秒",
        "60": "min mins minute minutes minuten 分钟",
        "3600": "h hr hrs hour hours stunde stunden heure heures 小时",
        "86400": "d day days tag tage jour jours 天",
    },
    "volume": {
        "0.001": "ml milliliter milliliters millilitre millilitres",
        "1": "l liter liters litre litres",
    },
    "months": {
        "1": "month months monat monate mois mes meses mese mesi месяц месяца месяцев 个月 か月",
        "12": "yr yrs year years jahr jahre ans año años anno anni ano anos год года лет 年 岁",
    },
    "celsius": {"1": "°c ℃"},
    "fahrenheit": {"1": "°f ℉"},
    "angle": {"1": "° deg degree degrees grad degré degrés"},
    "dollar": {"1": "$ us$ usd dollar dollars", "0.01": "¢ cent cents"},
    "real": {"1": "r$ brl real reais"},
    "franc": {"1": "chf franken"},
    "euro": {"1": "€ eur euro euros"},
    "pound": {"1": "£ gbp"},
    "yen": {"1": "¥ jpy yen 円"},
    "yuan": {"1": "cny rmb yuan 元"},
    "rupee": {"1": "₹ inr rs rupee rupees"},
    "won": {"1": "₩ krw won 원"},
    "rouble": {"1": "₽ rub ruble rubles rouble roubles"},
}

UNITS: dict[str, tuple[str, Decimal]] = {
    word: (dimension, Decimal(factor))
    for dimension, family in _FAMILIES.items()
    for factor, words in family.items()
    for word in words.split()
}
"""Word to (what it measures, how many base units it is)."""

PERCENT = frozenset(
    {"%", "percent", "pct", "prozent", "pourcent", "ciento", "процента", "процентов", "percentage"}
)
_FUNCTION_WORDS = (
    "a an and as at but by for from if in is it of on or out over per so than that the then there"
    " to total under was were which while with und oder von in et ou de des en y o del 的"
)
NO_UNITS = frozenset(_FUNCTION_WORDS.split())
"""Words that may follow a number without being its unit."""


def is_known(dimension: str) -> bool:
    """Whether the table knows every part of a dimension such as `length/time` or `length^2`."""
    return all(part in _FAMILIES for part in re.findall(r"[^\W\d_]+", dimension))


def unit_of(word: str) -> tuple[str, Decimal] | None:
    """What a word after a number measures; words outside the table measure themselves."""
    if not word or word in NO_UNITS:
        return None
    if word in UNITS:
        return UNITS[word]
    return word.removesuffix("s") if len(word) > 3 else word, Decimal(1)
