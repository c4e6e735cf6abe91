"""Gradings a second on one core: numbers and texts, each different from all others."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence

from curation.graders import grade
from tests.bench.figure import Figure

LEAST = 10_000.0
"""Gradings a second of one core."""

Pair = tuple[str, str]
"""Prediction and accepted answer."""


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--count", type=int, default=20_000, help="pairs a round (20000)")
    command.add_argument("--rounds", type=int, default=3, help="the best counts (3)")


def measure(count: int, rounds: int) -> Iterator[Figure]:
    """The best of some rounds for each kind of pair; caches see every pair once a round."""
    draw = random.Random(0)
    for name, kind, make in PAIRS:
        rates = [_rate(kind, [make(draw) for _ in range(count)]) for _ in range(rounds)]
        yield Figure(f"grade: {name}", max(rates), LEAST, unit="a second")


def _rate(kind: str, pairs: Sequence[Pair]) -> float:
    """Processor time counts: other programs on the machine do not."""
    started = time.process_time()
    for prediction, answer in pairs:
        grade(prediction, (answer,), kind=kind)
    return len(pairs) / (time.process_time() - started)


def _plain(draw: random.Random) -> Pair:
    return f"{draw.uniform(0, 1e5):.2f}", f"{draw.uniform(0, 1e5):.2f}"


def _written(draw: random.Random) -> Pair:
    return f"${draw.randint(1000, 10**7):,}", f"{draw.randint(1000, 10**7):,} dollars"


def _sentence(draw: random.Random) -> Pair:
    amount = f"{draw.uniform(0, 1e6):.1f} million"
    return f"The answer is {draw.randint(1000, 10**6):,} million people.", amount


def _words(draw: random.Random, count: int) -> str:
    return " ".join("".join(draw.choices("aeioubcdfglmnprst", k=6)) for _ in range(count))


def _same_text(draw: random.Random) -> Pair:
    words = _words(draw, 3)
    return f"The {words.title()}.", words


def _other_text(draw: random.Random) -> Pair:
    return _words(draw, 3), f"„{_words(draw, 2)} é“"


def _line(draw: random.Random) -> Pair:
    return _words(draw, 4), _words(draw, 4)


PAIRS: tuple[tuple[str, str, Callable[[random.Random], Pair]], ...] = (
    ("plain numbers", "number", _plain),
    ("amounts with separators and units", "number", _written),
    ("numbers in sentences", "number", _sentence),
    ("equal texts", "text", _same_text),
    ("other texts, accents", "text", _other_text),
    ("ANLS of 27 characters", "anls", _line),
)
