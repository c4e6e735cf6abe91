"""Attempts that curtailed sampling draws in its waves, against the full draw and the least
possible."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from curation.estimates.plans import attempts_drawn
from curation.estimates.rules import CountRule, Rule, Tally
from curation.estimates.sequential import SequentialRule
from curation.estimates.waves import wave
from tests.bench.figure import Figure
from tests.simulator import KINDS, Outcomes, Pool, pass_rates, stop

MOST_OVER_LEAST = 1.05
"""Attempts drawn over those of drawing one at a time."""

_N = 8
PRESETS = {
    "deepeyes": CountRule(lowest=1, highest=_N - 1, n=_N),
    "deepeyes-v2": CountRule(lowest=0, highest=2, n=_N),
}
SCREEN = SequentialRule(hard=0.05, lowest=0.25, highest=0.75, easy=0.95, error=0.05, n=64)
"""The preset `screen` with its own bounds."""


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--samples", type=int, default=10_000, help="samples a pool (10000)")


def measure(samples: int) -> Iterator[Figure]:
    """Every preset on every kind of pool, then the preset that stops statistically."""
    for name, rule in PRESETS.items():
        for kind in KINDS:
            yield from _preset(f"curtail: {name}, {kind} pool", rule, kind, samples)
    for kind in KINDS:
        tallies = Pool({"direct": pass_rates(kind, samples)}).stopped("direct", SCREEN)
        drawn = [tally.drawn for tally in tallies]
        print(f"curtail: screen, {kind} pool: {np.mean(drawn):.1f} of {SCREEN.n} attempts a sample")
    for rate in (SCREEN.hard, SCREEN.lowest, SCREEN.highest, SCREEN.easy):
        yield _screen(rate, samples)


def _preset(title: str, rule: CountRule, kind: str, samples: int) -> Iterator[Figure]:
    pool = Pool({"direct": pass_rates(kind, samples)})
    outcomes = pool.right("direct")[:, : rule.n]
    stopped = [stop(rule, row, wave) for row in outcomes]
    drawn = sum(tally.drawn for tally in stopped)
    least = sum(_least(rule, row) for row in outcomes)
    right = outcomes.sum(axis=1)
    kept = (right >= rule.lowest) & (right <= rule.highest)
    other = sum(rule.verdict(t) is not bool(keep) for t, keep in zip(stopped, kept, strict=True))
    share = drawn / (samples * rule.n)
    print(f"{title}: {drawn / samples:.2f} of {rule.n} attempts a sample ({share:.0%})")
    yield Figure(f"{title}: attempts over the least possible", drawn / least, MOST_OVER_LEAST, True)
    yield Figure(f"{title}: verdicts unlike the full draw's", other, 0, True)


def _least(rule: Rule, outcomes: Outcomes) -> int:
    """Attempts until the first after which the verdict cannot change, one at a time."""
    right = 0
    for drawn, outcome in enumerate(outcomes, start=1):
        right += int(outcome)
        if rule.verdict(Tally(right, drawn - right)) is not None:
            return drawn
    raise AssertionError("all attempts decide a rule")


def _screen(rate: float, samples: int) -> Figure:
    """Wrong verdicts of `screen` at one of the rates that it must tell apart."""
    pool = Pool({"direct": np.full(samples, rate)})
    stopped = pool.stopped("direct", SCREEN)
    keep = SCREEN.lowest <= rate <= SCREEN.highest
    wrong = np.mean([SCREEN.verdict(tally) is not keep for tally in stopped])
    title = f"curtail: screen at a pass rate of {rate:.0%}"
    drawn = np.mean([tally.drawn for tally in stopped])
    exact = attempts_drawn(SCREEN, rate)
    print(f"{title}: {drawn:.1f} of {SCREEN.n} attempts a sample (exactly {exact:.1f})")
    # 10,000 simulated samples give the share to within 0.65 points.
    return Figure(f"{title}: wrong verdicts", 100 * wrong, 100 * SCREEN.error, True, "%")
