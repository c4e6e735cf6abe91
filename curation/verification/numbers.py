"""Numbers in text, and when two of them say the same."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(
    r"(?<![\w.])-?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,2}\b)?"
)


def numbers_in(text: str) -> set[float]:
    """The numbers of a text; `1,234` is one."""
    return {float(found.replace(",", "")) for found in _NUMBER.findall(text)}


def akin(one: float, other: float, tolerance: float = 0.01) -> bool:
    """Equal up to rounding, or as a share and its percentage."""
    pairs = [(one, other)]
    pairs += [(100 * one, other)] if 0 < abs(one) < 1 else []
    pairs += [(one, 100 * other)] if 0 < abs(other) < 1 else []
    return any(math.isclose(*pair, rel_tol=tolerance, abs_tol=1e-9) for pair in pairs)
