"""How many attempts to draw at once where a rule may settle a sample at each of them.

One at a time wastes none, but every wave is a request of its own, and requests keep the server from
its work.
"""

from __future__ import annotations

from curation.estimates.rules import Rule, Tally


def wave(rule: Rule, tally: Tally) -> int:
    """Attempts of the next wave; 0 where the sample is settled, or can never be: a judge may still
    score what is unscored.

    As many as may bring a verdict at all, and half of what was drawn before if that is more,
    rounded up while all attempts agree, as the next ones then do most likely: a third fewer
    requests than with the former alone, for at most 5 % more attempts (`python -m tests.bench
    curtail`). A rule whose verdicts further attempts may turn gets no attempt more than it asks
    for.
    """
    least = rule.least(tally)
    if least == 0 or not rule.final:
        return least
    agree = min(tally.right, tally.wrong) == 0
    return min(max(least, (tally.drawn + agree) // 2), rule.n - tally.drawn)
