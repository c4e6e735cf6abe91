"""What people see of a sample and of a rollout, read from a run a batch of cards at a time.

Web pages, notebooks and terminals show these records; none of them asks the run anything more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

import duckdb

from curation.errors import RunError
from curation.runs import Run
from curation.stages.count import RIGHT
from curation.verification import holds
from schemas import Benefit, Rollout, Sample, Verdict, from_table
from schemas.rollout import ARMS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of an arm and what the grader made of it."""

    rollout_id: str
    arm: str
    prediction: str | None
    stop_reason: str
    right: bool | None
    """Null when it is not scored."""
    grader: str | None
    explanation: str | None

    @property
    def text(self) -> str:
        """The prediction, or why there is none."""
        return self.stop_reason if self.prediction is None else self.prediction


@dataclass(frozen=True, slots=True)
class SampleCard:
    """What is asked, what the models said, what was decided."""

    sample: Sample
    verdict: Verdict | None
    benefit: Benefit | None
    arms: Mapping[str, Sequence[Attempt]]
    faults: tuple[str, ...]
    """Why it, or one of its rollouts, is in quarantine."""

    @property
    def fates(self) -> tuple[str, ...]:
        """The verdict in words, with every reason."""
        return (*fates(self.verdict), *(("in quarantine",) if self.faults else ()))

    @property
    def rates(self) -> tuple[str, ...]:
        """Pass rates and benefit as far as they were measured, each with its interval of 95 %."""
        if (b := self.benefit) is None:
            return ()
        benefit = "benefit, on fresh attempts" if b.confirmed else "benefit"
        measured = (
            ("pass rate without tools", b.direct_pass_rate, b.direct_low, b.direct_high),
            ("with tools", b.tools_pass_rate, b.tools_low, b.tools_high),
            (benefit, b.tool_benefit, b.tool_benefit_low, b.tool_benefit_high),
        )
        return tuple(_estimate(*one) for one in measured if one[1] is not None)


def _estimate(name: str, value: float | None, low: float | None, high: float | None) -> str:
    bounds = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return f"{name} {value:.2f}{bounds}"


def fates(verdict: Verdict | None) -> tuple[str, ...]:
    """A verdict in words, with every reason."""
    if verdict is None:
        return ("no verdict",)
    if verdict.kept:
        return (f"kept: {verdict.split}" if verdict.split else "kept",)
    return tuple(f"dropped: {rule}" for rule in verdict.failed)


@dataclass(frozen=True, slots=True)
class Check:
    """What one check saw of a rollout."""

    name: str
    passed: bool | None
    """Null when it does not apply."""
    evidence: str

    @property
    def holds(self) -> bool:
        return holds(self.name, self.passed, self.evidence)


@dataclass(frozen=True, slots=True)
class RolloutCard:
    """A conversation turn by turn, and what the checks found."""

    rollout: Rollout
    sample: Sample
    attempt: Attempt
    checks: tuple[Check, ...]
    trajectory_id: str | None
    """Null when no trajectory was made of it."""
    prompt: str | None
    """As the run keeps it; null where it keeps several for the arm."""

    @property
    def fates(self) -> tuple[str, ...]:
        """What the checks decided, with every reason."""
        if not self.checks:
            return ("not verified",)
        against = tuple(f"rejected: {check.name}" for check in self.checks if not check.holds)
        chosen = "trajectory" if self.trajectory_id else "verified, not chosen"
        return against or (chosen,)


_ATTEMPTS = f"""
    SELECT rollout_id, sample_id, arm, prediction, stop_reason, value > {RIGHT} AS "right",
           grader, explanation
    FROM rollouts LEFT JOIN (SELECT * EXCLUDE (sample_id) FROM scores) USING (rollout_id)
"""


def read_samples(db: duckdb.DuckDBPyConnection, sample_ids: Iterable[str]) -> list[SampleCard]:
    """The cards of samples, in the order of their ids.

    Raises:
        RunError: the run holds no such sample.
    """
    ids = list(sample_ids)
    samples = _samples(db, ids)
    verdicts = _by_sample(Verdict, db, "verdicts", ids)
    benefits = _by_sample(Benefit, db, "benefits", ids)
    attempts = _grouped(db, f"{_ATTEMPTS} WHERE sample_id IN $1 ORDER BY arm, attempt", ids)
    faults = _grouped(
        db,
        """SELECT coalesce(payload ->> 'sample_id', key) AS sample_id, stage, message
           FROM quarantine WHERE coalesce(payload ->> 'sample_id', key) IN $1
           ORDER BY ALL""",
        ids,
    )
    return [
        SampleCard(
            samples[sample_id],
            verdicts.get(sample_id),
            benefits.get(sample_id),
            _arms(attempts.get(sample_id, [])),
            tuple(f"{row['stage']}: {row['message']}" for row in faults.get(sample_id, [])),
        )
        for sample_id in ids
    ]


def read_rollouts(
    run: Run, db: duckdb.DuckDBPyConnection, rollout_ids: Iterable[str]
) -> list[RolloutCard]:
    """The cards of rollouts, in the order of their ids.

    Raises:
        RunError: the run holds no such rollout.
    """
    ids = list(rollout_ids)
    found = db.sql("FROM rollouts WHERE rollout_id IN $1", params=[ids]).to_arrow_table()
    rollouts = {rollout.rollout_id: rollout for rollout in from_table(Rollout, found)}
    _complete(rollouts, ids, "rollout")
    samples = _samples(db, {rollout.sample_id for rollout in rollouts.values()})
    attempts = _grouped(db, f"{_ATTEMPTS} WHERE rollout_id IN $1", ids, by="rollout_id")
    checks, trajectories = _checks(db, ids), _trajectories(db, ids)

    def card(rollout: Rollout) -> RolloutCard:
        sample, name = samples[rollout.sample_id], rollout.rollout_id
        return RolloutCard(
            rollout,
            sample,
            _attempt(attempts[name][0]),
            checks.get(name, ()),
            trajectories.get(name),
            _prompt(run, rollout, sample),
        )

    return [card(rollouts[rollout_id]) for rollout_id in ids]


def _checks(
    db: duckdb.DuckDBPyConnection, rollout_ids: Sequence[str]
) -> dict[str, tuple[Check, ...]]:
    """What was found of each rollout, what failed first."""
    rows = _grouped(
        db,
        """SELECT rollout_id, "check", passed, evidence FROM verifications
           WHERE rollout_id IN $1 ORDER BY passed NULLS LAST, "check" """,
        rollout_ids,
        by="rollout_id",
    )
    return {
        name: tuple(Check(row["check"], row["passed"], row["evidence"]) for row in found)
        for name, found in rows.items()
    }


def _trajectories(db: duckdb.DuckDBPyConnection, rollout_ids: Sequence[str]) -> dict[str, str]:
    """The trajectory that each rollout became, of those that became one."""
    sql = "SELECT rollout_id, trajectory_id FROM trajectories WHERE rollout_id IN $1"
    return dict(db.execute(sql, [list(rollout_ids)]).fetchall())


def find_sample(db: duckdb.DuckDBPyConnection, sample_id: str) -> Sample:
    """A sample of the run that `db` is connected to.

    Raises:
        RunError: it holds no such sample.
    """
    return _samples(db, [sample_id])[sample_id]


def _samples(db: duckdb.DuckDBPyConnection, ids: Iterable[str]) -> dict[str, Sample]:
    wanted = list(ids)
    samples = _by_sample(Sample, db, "samples", wanted)
    _complete(samples, wanted, "sample")
    return samples


def _complete(found: Mapping[str, Any], wanted: Iterable[str], kind: str) -> None:
    missing = next((name for name in wanted if name not in found), None)
    if missing is not None:
        raise RunError(
            f"the run holds no {kind} {missing!r}: `SELECT {kind}_id FROM {kind}s` lists them"
        )


def _by_sample(
    record: type[T], db: duckdb.DuckDBPyConnection, table: str, ids: Sequence[str]
) -> dict[str, T]:
    found = db.sql(f"FROM {table} WHERE sample_id IN $1", params=[list(ids)]).to_arrow_table()
    return dict(zip(found["sample_id"].to_pylist(), from_table(record, found), strict=True))


def _grouped(
    db: duckdb.DuckDBPyConnection, sql: str, ids: Sequence[str], by: str = "sample_id"
) -> dict[str, list[dict[str, Any]]]:
    """Rows of a query over ids by one of its columns, each group in the query's order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in db.sql(sql, params=[list(ids)]).to_arrow_table().to_pylist():
        groups.setdefault(row[by], []).append(row)
    return groups


def _arms(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Attempt]]:
    found = {arm: list(attempts) for arm, attempts in groupby(rows, itemgetter("arm"))}
    return {arm: [_attempt(row) for row in found[arm]] for arm in ARMS if arm in found}


def _attempt(row: Mapping[str, Any]) -> Attempt:
    return Attempt(**{field.name: row[field.name] for field in fields(Attempt)})


def _prompt(run: Run, rollout: Rollout, sample: Sample) -> str | None:
    kept = list(run.prompts.glob(f"{rollout.arm}-*.txt"))
    if len(kept) != 1:
        return None
    return kept[0].read_text(encoding="utf-8").replace("{question}", sample.question)
