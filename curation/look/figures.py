"""The charts of a run: what `facts` counts, drawn. Each takes a connection (`Run.connect`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from curation.look import facts
from curation.look.charts import bars, histograms, intervals

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_QUARTERS: dict[float, str] = {0.0: "0", 0.25: "¼", 0.5: "½", 0.75: "¾", 1.0: "1"}


def fates(db: DuckDBPyConnection) -> Markup:
    """What became of every sample."""
    return bars(facts.fates(db).fetchall(), title="Samples by verdict", unit="samples")


def pass_rates(db: DuckDBPyConnection) -> Markup:
    """How often attempts are right, arm by arm."""
    found = facts.pass_rates(db).fetchall()
    return histograms(
        found,
        title="Pass rate",
        value="right / scored attempts",
        unit="samples",
        step=1 / 8,
        ticks=_QUARTERS,
    )


def benefits(db: DuckDBPyConnection) -> Markup:
    """What tools change on each sample, with intervals of 95 %."""
    found = facts.benefits(db).fetchall()
    value = (
        "pass rate with tools − without; of a source with more samples,"
        f" {facts.SHOWN_INTERVALS} evenly spaced ones"
    )
    return intervals(found, title="Tool benefit", value=value)


def turns(db: DuckDBPyConnection) -> Markup:
    """How many replies a rollout takes, in arms with tools."""
    found = facts.turns(db).fetchall()
    return histograms(
        found,
        title="Turns",
        value="replies of a rollout",
        unit="rollouts",
        step=1,
        ticks={at: str(at) for at in _span(found)},
    )


def tools(db: DuckDBPyConnection) -> Markup:
    """Which tools were called."""
    return bars(facts.tools(db).fetchall(), title="Tools that were called", unit="calls")


def lengths(db: DuckDBPyConnection) -> Markup:
    """How long replies are; a bar begins at its power of two and ends before the next."""
    found = facts.lengths(db).fetchall()
    return histograms(
        found,
        title="Length of replies",
        value="tokens, each bar from its number to before the next",
        unit="replies",
        step=1,
        ticks={at: f"{2**at:,}" for at in _span(found)},
    )


def outcomes(db: DuckDBPyConnection) -> Markup:
    """What became of the teacher's rollouts."""
    return bars(facts.outcomes(db).fetchall(), title="Rollouts of the teacher", unit="rollouts")


def tool_calls(db: DuckDBPyConnection) -> Markup:
    """How often the teacher acted before it answered."""
    found = facts.tool_calls(db).fetchall()
    return bars(found, title="Trajectories by number of tool calls", unit="trajectories")


def _span(rows: list[tuple[str, int, str, int]]) -> range:
    """Every whole value from the least to the most that occurs; few, as turns and powers are."""
    values = [at for _, at, _, _ in rows]
    return range(min(values, default=0), max(values, default=0) + 1)
