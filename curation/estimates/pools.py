"""What tools do over a pool of samples: mean benefit, gain and harm, and what they come from.

Every interval here has the sample as its unit: a pool of 100 samples with 8 attempts each is 100
observations, not 800. It is about the population that the samples are drawn from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from scipy.optimize import brentq
from scipy.stats import binomtest
from scipy.stats import t as student

from curation.estimates.intervals import LEVEL, Estimate, pass_rate
from curation.estimates.rules import Tally


def mean(values: Sequence[float], *, level: float = LEVEL) -> Estimate:
    """The mean over a pool with Student's interval; of differences of two arms, one a sample, it
    is their paired comparison. Feed it unbiased values (`curation.estimates.plans.unbiased_rate`).

    Raises:
        ValueError: fewer than two values, which say nothing of how much they vary.
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs at least 2 samples, there are {len(values)}")
    middle, error = fmean(values), stdev(values) / math.sqrt(len(values))
    half = float(student.ppf((1 + level) / 2, len(values) - 1)) * error
    return Estimate(middle, middle - half, middle + half)


@dataclass(frozen=True, slots=True)
class GainAndHarm:
    """Samples by whether they were solved with tools and without them."""

    both: int
    gain: int
    """Solved only with tools."""
    harm: int
    """Solved only without."""
    neither: int

    @classmethod
    def of(cls, solved: Iterable[tuple[bool, bool]]) -> GainAndHarm:
        """From (solved with tools, solved without) of every sample, on equally many attempts."""
        pairs = list(solved)
        return cls(
            both=pairs.count((True, True)),
            gain=pairs.count((True, False)),
            harm=pairs.count((False, True)),
            neither=pairs.count((False, False)),
        )

    @property
    def samples(self) -> int:
        return self.both + self.gain + self.harm + self.neither

    def share(self, count: int, *, level: float = LEVEL) -> Estimate | None:
        """`gain` or `harm` as a share of all samples; None of no samples."""
        return pass_rate(Tally(count, self.samples - count), level=level)

    def net(self, *, level: float = LEVEL) -> Estimate:
        """Gain less harm as a share of the samples, with the score interval for paired shares
        (Tango, Statistics in Medicine 17, 1998): the differences that a score test at 1 - level
        does not reject.

        Raises:
            ValueError: there are no samples.
        """
        if not self.samples:
            raise ValueError("gain and harm of no samples have no interval")
        value = (self.gain - self.harm) / self.samples
        critical = NormalDist().inv_cdf((1 + level) / 2)

        def low(delta: float) -> float:
            return self._score(delta) - critical

        def high(delta: float) -> float:
            return self._score(delta) + critical

        edge = 1 - 1e-12
        return Estimate(
            value,
            -1.0 if low(-edge) < 0 else float(brentq(low, -edge, value)),
            1.0 if high(edge) > 0 else float(brentq(high, value, edge)),
        )

    def _score(self, delta: float) -> float:
        """Tango's statistic for a true difference of `delta`, standard normal when it is."""
        n, gain, harm = self.samples, self.gain, self.harm
        # The likeliest share of harm, given delta, is the larger root of a x^2 + b x + c.
        a, b, c = 2 * n, (2 * n - gain + harm) * delta - gain - harm, -harm * delta * (1 - delta)
        share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = n * (2 * share + delta * (1 - delta))
        distance = gain - harm - n * delta
        if distance == 0:
            return 0.0
        return distance / math.sqrt(variance) if variance > 0 else math.copysign(1e9, distance)

    def p_value(self) -> float:
        """McNemar's exact test that gain and harm are equally likely."""
        changed = self.gain + self.harm
        return float(binomtest(self.gain, changed).pvalue) if changed else 1.0


@dataclass(frozen=True, slots=True)
class ToolAttempts:
    """Scored attempts with tools at one sample, by whether a tool was called."""

    called: Tally
    uncalled: Tally


@dataclass(frozen=True, slots=True)
class Effects:
    """Why attempts with tools differ from those without: `gains` less `harms` is the benefit.

    The four terms of MED (Ma et al., arXiv 2602.01334): attempts that fail without tools and are
    right with them, or the reverse, each by whether a tool was called (call) or only the tools'
    prompt was there (schema).
    """

    call_gain: float
    schema_gain: float
    call_harm: float
    schema_harm: float

    @property
    def benefit(self) -> float:
        return self.call_gain + self.schema_gain - self.call_harm - self.schema_harm


def effects(direct_rate: float, tools: ToolAttempts) -> Effects | None:
    """MED's terms for one sample; None where no attempt with tools is scored.

    MED pairs one greedy answer with another. Here attempts are many and independent, so a term is
    the product of two shares; with an unbiased `direct_rate` its mean over samples is unbiased.
    The experiment of the same name, `schema_only` less direct and tools less `schema_only`, is
    `curation.estimates.intervals.difference` of those arms.
    """
    called, uncalled = tools.called, tools.uncalled
    scored = called.right + called.wrong + uncalled.right + uncalled.wrong
    if not scored:
        return None
    return Effects(
        call_gain=(1 - direct_rate) * called.right / scored,
        schema_gain=(1 - direct_rate) * uncalled.right / scored,
        call_harm=direct_rate * called.wrong / scored,
        schema_harm=direct_rate * uncalled.wrong / scored,
    )
