from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from curation.estimates.plans import unbiased_rate
from curation.estimates.pools import Effects, GainAndHarm, ToolAttempts, effects, mean
from curation.estimates.rules import CountRule, Tally
from tests.simulator import Pool, pass_rates

COUNTS = [(36, 12, 2, 0), (5, 9, 4, 22), (10, 1, 1, 10), (0, 30, 3, 0)]


def score(counts: GainAndHarm, delta: float) -> float:
    """Tango's statistic with the constrained likelihood maximised by brute force."""

    def loss(harm: float) -> float:
        gain, rest = harm + delta, 1 - 2 * harm - delta
        unchanged = counts.both + counts.neither
        return -sum(
            count * math.log(max(share, 1e-300))
            for count, share in ((counts.gain, gain), (counts.harm, harm), (unchanged, rest))
        )

    bounds = (max(0.0, -delta), (1 - delta) / 2)
    harm = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x
    variance = counts.samples * (2 * harm + delta - delta**2)
    return (counts.gain - counts.harm - counts.samples * delta) / math.sqrt(variance)


@pytest.mark.parametrize("counts", COUNTS)
def test_the_ends_of_the_net_interval_are_just_not_rejected(counts: tuple[int, ...]) -> None:
    table = GainAndHarm(*counts)
    net = table.net()
    assert net.value == (counts[1] - counts[2]) / sum(counts)
    assert score(table, net.low) == pytest.approx(1.95996, abs=1e-3)
    assert score(table, net.high) == pytest.approx(-1.95996, abs=1e-3)


def test_the_net_interval_exists_where_nothing_or_everything_changed() -> None:
    unchanged, gained = GainAndHarm(5, 0, 0, 5).net(), GainAndHarm(0, 10, 0, 0).net()
    assert -0.4 < unchanged.low < 0 < unchanged.high < 0.4
    assert gained.value == gained.high == 1 and gained.low > 0.4
    with pytest.raises(ValueError, match="no samples"):
        GainAndHarm(0, 0, 0, 0).net()


def test_gain_and_harm_are_told_apart() -> None:
    table = GainAndHarm.of(
        [(True, True), (True, False), (True, False), (False, True)] + [(False,) * 2] * 6
    )
    assert table == GainAndHarm(both=1, gain=2, harm=1, neither=6)
    gain = table.share(table.gain)
    assert gain is not None and gain.value == 0.2
    assert table.p_value() == 1
    assert GainAndHarm(0, 12, 2, 0).p_value() == pytest.approx(0.01294, abs=1e-5)


def test_the_mean_benefit_of_samples_that_stopped_early_is_covered() -> None:
    rule, held = CountRule(lowest=0, highest=2, n=8), 0
    for seed in range(400):
        direct = pass_rates("mixed", 100, seed)
        pool = Pool({"direct": direct, "tools": direct + 0.3 * (1 - direct)}, seed)
        without = [unbiased_rate(tally, rule) for tally in pool.stopped("direct", rule)]
        with_tools = [unbiased_rate(tally) for tally in pool.tallies("tools", 8)]
        pairs = zip(with_tools, without, strict=True)
        benefit = mean([a - b for a, b in pairs if a is not None and b is not None])
        held += benefit.low <= 0.15 <= benefit.high
    assert 0.92 <= held / 400 <= 0.98


def test_one_sample_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least 2 samples, there are 1"):
        mean([0.5])


def test_the_four_effects_sum_to_the_benefit() -> None:
    attempts = ToolAttempts(called=Tally(4, 1), uncalled=Tally(1, 2, 3))
    found = effects(0.25, attempts)
    assert found == Effects(0.375, 0.09375, 0.03125, 0.0625)
    assert found.benefit == 5 / 8 - 0.25
    assert effects(0.25, ToolAttempts(Tally(0, 0, 1), Tally(0, 0))) is None


def test_the_mean_effects_are_those_of_the_rates() -> None:
    draw, direct = np.random.default_rng(0), pass_rates("mixed", 20_000)
    called = draw.random((20_000, 8)) < 0.6
    right = draw.random((20_000, 8)) < np.where(called, 0.9, direct[:, None])
    rates = Pool({"direct": direct}).right("direct")[:, :8].mean(axis=1)
    terms = [
        effects(rate, ToolAttempts(_tally(hits[calls]), _tally(hits[~calls])))
        for rate, hits, calls in zip(rates, right, called, strict=True)
    ]
    assert np.mean([term.call_gain for term in terms if term]) == pytest.approx(
        np.mean((1 - direct) * 0.6 * 0.9), abs=0.01
    )
    assert np.mean([term.schema_harm for term in terms if term]) == pytest.approx(
        np.mean(direct * 0.4 * (1 - direct)), abs=0.01
    )


def _tally(hits: np.ndarray) -> Tally:
    return Tally(int(hits.sum()), int((~hits).sum()))
