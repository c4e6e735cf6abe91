"""Cover of the intervals, bias with and without fresh attempts, error rates of the placebo rule."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import binom

from curation.estimates.intervals import Estimate, difference, pass_rate
from curation.estimates.plans import unbiased_rate
from curation.estimates.pools import GainAndHarm, mean
from curation.estimates.rules import Rule, Tally
from tests.bench.curtail import PRESETS
from tests.bench.figure import Figure
from tests.simulator import KINDS, Pool, Rates, kept_by_toolsight, pass_rates

COVER = (94.0, 97.0)
MOST_BIAS = 1.0
"""Percentage points."""
LEAST_RIGHT = 95.0
"""Percent of samples on which the placebo rule has to be right."""

_N = 8
_CONFIRM = 16
"""Attempts in each arm that the placebo rule needs."""


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--samples", type=int, default=10_000, help="samples a pool (10000)")


def measure(samples: int) -> Iterator[Figure]:
    """All of it on pools of so many samples."""
    for name, rule in PRESETS.items():
        yield from _pass_rates(name, rule, samples)
    yield from _benefits(samples)
    yield _pool_means(samples // 10)
    yield _net_gain(samples)
    yield from _selection(samples)
    yield from _placebo(samples)
    _least_effects()


def _cover(name: str, found: Sequence[Estimate | None], truth: Rates) -> Figure:
    held = [e is not None and e.low <= t <= e.high for e, t in zip(found, truth, strict=True)]
    cover = 100 * float(np.mean(held))
    return Figure(f"estimates: cover of {name}", cover, COVER[0], unit="%", to=COVER[1])


def _pass_rates(preset: str, rule: Rule, samples: int) -> Iterator[Figure]:
    """The mixed pool, half easy and half hard, has the bar; the cover of its halves is printed."""
    for kind in KINDS:
        rates = pass_rates(kind, samples)
        tallies = Pool({"direct": rates}).stopped("direct", rule)
        name = f"pass rates after {preset}, {kind} pool"
        cover = _cover(name, [pass_rate(tally) for tally in tallies], rates)
        if kind == "mixed":
            yield cover
        else:
            print(f"{cover.name}: {cover.value:.2f} %")
        yield _mean_error(name, tallies, rule, rates)


def _mean_error(name: str, tallies: Sequence[Tally], rule: Rule, truth: Rates) -> Figure:
    """How far the mean over the pool is off; that of the plain right shares is printed."""
    shares = [tally.right / tally.drawn for tally in tallies]
    unbiased = [rate for tally in tallies if (rate := unbiased_rate(tally, rule)) is not None]
    title = f"estimates: mean error of {name}"
    print(f"{title}, right shares: {100 * (np.mean(shares) - truth.mean()):+.2f} points")
    error = 100 * abs(float(np.mean(unbiased) - truth.mean()))
    return Figure(f"{title}, unbiased", error, MOST_BIAS, True, "points")


def _tools(direct: Rates, seed: int = 1) -> Rates:
    """Every second sample gains from tools, a third of what was missing on average."""
    gain = np.random.default_rng(seed).beta(1, 2, len(direct))
    return np.where(np.arange(len(direct)) % 2, direct, direct + (1 - direct) * gain)


def _benefits(samples: int) -> Iterator[Figure]:
    for kind in KINDS:
        direct = np.random.default_rng(2).permutation(pass_rates(kind, samples))
        pool = Pool({"direct": direct, "tools": _tools(direct)})
        arms = zip(pool.tallies("tools", _N), pool.tallies("direct", _N), strict=True)
        found = [difference(*pair) for pair in arms]
        yield _cover(f"benefit, {kind} pool", found, pool.rates["tools"] - direct)


def _pool_means(pools: int) -> Figure:
    """Mean benefit of pools of 200 samples whose direct attempts stopped early."""
    rule, size, found = PRESETS["deepeyes-v2"], 200, []
    for seed in range(pools):
        direct = np.random.default_rng(seed).beta(1, 4, size)
        pool = Pool({"direct": direct, "tools": direct + (1 - direct) / 4}, seed)
        rates = zip(pool.tallies("tools", _N), pool.stopped("direct", rule), strict=True)
        pairs = [(unbiased_rate(tools), unbiased_rate(without, rule)) for tools, without in rates]
        found.append(mean([a - b for a, b in pairs if a is not None and b is not None]))
    return _cover("a pool's mean benefit", found, np.full(pools, 0.2))


def _net_gain(tables: int) -> Figure:
    """Gain less harm of 100 samples: the shares are 20 %, 15 %, 5 % and 60 %."""
    counts = np.random.default_rng(3).multinomial(100, (0.2, 0.15, 0.05, 0.6), size=tables)
    found = [GainAndHarm(*map(int, row)).net() for row in counts]
    return _cover("gain less harm", found, np.full(tables, 0.1))


def _selection(samples: int) -> Iterator[Figure]:
    """Samples chosen as deepeyes-v2 does and because tools solved them more often; their benefit
    on the attempts that chose them, and on fresh ones."""
    for kind in KINDS:
        direct = np.random.default_rng(4).permutation(pass_rates(kind, 4 * samples))
        pool = Pool({"direct": direct, "tools": _tools(direct)})
        first = [pool.tallies(arm, _N) for arm in ("tools", "direct")]
        fresh = [pool.tallies(arm, _N, first=_N) for arm in ("tools", "direct")]
        pairs = list(zip(*first, strict=True))
        chosen = [without.right <= 2 and tools.right > without.right for tools, without in pairs]
        truth = (pool.rates["tools"] - direct)[chosen].mean()
        biased, error = (_mean_benefit(arms, chosen) - truth for arms in (first, fresh))
        title = (
            f"estimates: mean error of the benefit of {sum(chosen):,} chosen samples, {kind} pool"
        )
        print(f"{title}, on the attempts that chose them: {100 * biased:+.2f} points")
        yield Figure(f"{title}, on fresh ones", 100 * abs(error), MOST_BIAS, True, "points")


def _mean_benefit(arms: Sequence[Sequence[Tally]], chosen: Sequence[bool]) -> float:
    tools, direct = (np.array([tally.right for tally in arm])[list(chosen)] for arm in arms)
    return float((tools - direct).mean() / _N)


def _placebo(samples: int) -> Iterator[Figure]:
    """The rule on samples that are solved in up to 10 % of attempts without tools."""
    draw = np.random.default_rng(5)
    direct, high = draw.uniform(0, 0.1, samples), draw.uniform(0.72, 1, samples)
    worlds = {
        "tools that do nothing, rejected": (direct, direct, False),
        "tools whose prompt alone helps, rejected": (high, high, False),
        "tools that lift it above 72 %, kept": (high, direct, True),
    }
    for name, (tools, placebo, wanted) in worlds.items():
        pool = Pool({"tools": tools, "direct": direct, "placebo": placebo})
        arms = [pool.tallies(arm, _CONFIRM) for arm in ("tools", "direct", "placebo")]
        share = 100 * float(np.mean(kept_by_toolsight(*arms) == wanted))
        yield Figure(f"estimates: {name}", share, LEAST_RIGHT, unit="%")


def _least_effects() -> None:
    """Print how often tools must solve a sample for the rule to keep 95 % of such samples."""
    for n in (_N, _CONFIRM, 2 * _CONFIRM):
        needed = ", ".join(f"{_needed(n, p):.0%} from {p:.0%}" for p in (0.0, 0.1, 0.2))
        print(f"estimates: kept in 95 % on {n} attempts an arm: {needed}")


def _needed(n: int, direct: float) -> float:
    """The lowest pass rate with tools that passes, exactly, where a placebo does nothing."""
    counts = range(n + 1)
    pairs = [(Tally(a, n - a), Tally(b, n - b)) for a in counts for b in counts]
    tools, others = zip(*pairs, strict=True)
    higher = kept_by_toolsight(tools, others, others).reshape(n + 1, n + 1)
    # Both comparisons hold, of attempts without tools and with a placebo.
    beaten = (higher @ binom.pmf(counts, n, direct)) ** 2
    rates = np.linspace(direct, 1, 1001)
    power = [binom.pmf(counts, n, rate) @ beaten for rate in rates]
    return float(rates[np.argmax(np.array(power) >= LEAST_RIGHT / 100)])
