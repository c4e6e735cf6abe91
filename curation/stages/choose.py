"""Choose: which verified rollouts become trajectories, and why each of the others does not.

Of every sample and dialect the shortest or a diverse set; of these as many as the recipe's mix
allows; then direct and text-only solutions for their shares. Whatever is left to chance is decided
by a hash of the seed and the rollout's id. Every verified rollout has its row in `choices`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import duckdb

from curation.job import Job
from curation.mixing import Kind, Share, quotas
from curation.recipes.mix import PARTS, Mix
from curation.recipes.recipe import Teach
from curation.runs import Run
from curation.stages.conclude import LOOKS
from curation.stages.verify import PASSED
from curation.verification import names_sql

TOOLS, DIRECT, TEXT = "tools", "direct", "text"
"""Solutions with tools, without any, and without an image."""
_KIND = "category, tool_calls, tool"


def choose(job: Job, teach: Teach) -> None:
    """Write `choices` anew: a function of what was verified, and of the recipe."""
    with job.run.connect() as db:
        db.execute(f"CREATE TEMP TABLE picked AS {_picked(teach, job.recipe.seed)}")
        if teach.mix:
            _apply(db, teach.mix)
        whole = 1 - teach.direct_share - teach.text_share
        if teach.min_tool_calls:
            _limit(db, DIRECT, teach.direct_share / whole, of=(TOOLS,))
            _limit(db, TEXT, teach.text_share / whole, of=(TOOLS,))
        else:  # Solutions without a tool are as good as any.
            _limit(db, TEXT, teach.text_share / (1 - teach.text_share), of=(TOOLS, DIRECT))
        rows = db.sql("SELECT * EXCLUDE (draw) FROM picked ORDER BY rollout_id")
        job.run.table("choices").replace(rows.to_arrow_reader(1024))


def _picked(teach: Teach, seed: int) -> str:
    """SQL: all verified rollouts, with what speaks against each so far.

    `draw` is as good as random; a direct solution is only wanted of a sample without any other.
    """
    order = "tool_calls, tokens, rollout_id"
    if teach.choose == "diverse":
        order = f"nth, {order}"
    return f"""
        WITH lacking AS (
            SELECT rollout_id, min("check") AS required FROM verifications
            WHERE NOT passed AND "check" IN {names_sql((*teach.require, ""))} GROUP BY rollout_id
        ), verified AS (
            SELECT *, CASE WHEN len(image_ids) = 0 THEN '{TEXT}' WHEN tool_calls = 0
                           THEN '{DIRECT}' ELSE '{TOOLS}' END AS kind,
                   CASE WHEN required IS NOT NULL THEN required
                        WHEN kind = '{TOOLS}' AND tool_calls < {teach.min_tool_calls}
                        THEN 'min_tool_calls' END AS unfit
            FROM ({LOOKS}) SEMI JOIN ({PASSED}) USING (rollout_id)
            LEFT JOIN lacking USING (rollout_id)
        ), numbered AS (
            SELECT *, row_number() OVER (
                PARTITION BY sample_id, dialect, tool_calls, unfit ORDER BY tokens, rollout_id
            ) AS nth FROM verified
        ), placed AS (
            SELECT *, row_number() OVER (
                       PARTITION BY sample_id, dialect, kind, unfit ORDER BY {order}) AS place,
                   bool_or(kind = '{TOOLS}' AND unfit IS NULL)
                       OVER (PARTITION BY sample_id) AS solved
            FROM numbered
        )
        SELECT rollout_id, sample_id, dialect, kind, category, tool_calls, tool,
               CASE WHEN unfit IS NOT NULL THEN unfit
                    WHEN kind <> '{TOOLS}' AND solved THEN 'solved_with_tools'
                    WHEN place > (CASE WHEN kind = '{TOOLS}' THEN {teach.per_sample} ELSE 1 END)
                    THEN 'per_sample' END AS dropped_by,
               md5('{seed}/' || rollout_id) AS draw
        FROM placed
    """


def _apply(db: duckdb.DuckDBPyConnection, mix: Mix) -> None:
    """Drop what the mix has no room for, of kinds that are alike to it whichever come."""
    wanted = f"FROM picked WHERE kind = '{TOOLS}' AND dropped_by IS NULL"
    rows = db.execute(f"SELECT {_KIND}, count(*) {wanted} GROUP BY ALL").fetchall()
    found = {Kind(*kind): count for *kind, count in rows}
    db.execute(
        f"CREATE TEMP TABLE quotas AS SELECT {_KIND}, 0 AS alike, 0 AS kept FROM picked LIMIT 0"
    )
    for number, quota in enumerate(quotas(found, mix)):
        for kind in quota.kinds:
            db.execute(
                "INSERT INTO quotas VALUES ($1, $2, $3, $4, $5)", [*kind, number, quota.kept]
            )
    _drop(
        db,
        "mix",
        f"""SELECT rollout_id {wanted.replace("picked", f"picked JOIN quotas USING ({_KIND})")}
            QUALIFY row_number() OVER (PARTITION BY alike ORDER BY draw) > kept""",
    )


def _limit(db: duckdb.DuckDBPyConnection, kind: str, parts: float, *, of: tuple[str, ...]) -> None:
    """Keep at most `parts` solutions of a kind for every one of other kinds."""
    _drop(
        db,
        f"{kind}_share",
        f"""SELECT rollout_id FROM picked WHERE kind = '{kind}' AND dropped_by IS NULL
            QUALIFY row_number() OVER (ORDER BY draw) > round({parts} * (
                SELECT count(*) FROM picked
                WHERE kind IN {names_sql((*of, ""))} AND dropped_by IS NULL))""",
    )


def _drop(db: duckdb.DuckDBPyConnection, reason: str, rollouts: str) -> None:
    db.execute(f"UPDATE picked SET dropped_by = '{reason}' WHERE rollout_id IN ({rollouts})")


def shares(run: Run, teach: Teach) -> list[Share]:
    """The mix that came out, and the one that the recipe wants, as far as it says; nothing where
    no rollout was verified."""
    with run.connect() as db:
        found = _counts(db, ("kind", "dialect"), "true")
        found |= _counts(db, PARTS, f"kind = '{TOOLS}'")
    return list(_report(found, _wanted(teach), teach.mix or Mix())) if found else []


Counted = dict[tuple[str, str], tuple[int, int]]
"""Trajectories and verified rollouts by property and value."""


def _counts(db: duckdb.DuckDBPyConnection, parts: tuple[str, ...], where: str) -> Counted:
    found: Counted = {}
    for part in parts:
        rows = db.execute(f"""
            SELECT {part}::VARCHAR, count(*) FILTER (dropped_by IS NULL), count(*)
            FROM choices WHERE {where} GROUP BY 1 ORDER BY 1
        """).fetchall()
        found |= {(part, value): (kept, verified) for value, kept, verified in rows}
    return found


def _wanted(teach: Teach) -> dict[tuple[str, str], float]:
    """Every share that the recipe states."""
    direct, text = teach.direct_share, teach.text_share
    wanted = {("kind", DIRECT): direct, ("kind", TEXT): text} if direct or text else {}
    if teach.min_tool_calls == 0:
        wanted.pop(("kind", DIRECT), None)
    return wanted | (teach.mix.wanted() if teach.mix else {})


def _report(found: Counted, wanted: Mapping[tuple[str, str], float], mix: Mix) -> Iterator[Share]:
    """One line a value; those that stand for several, such as 3+, beside the ones they hold."""
    for part in ("kind", "dialect", *PARTS):
        own = {value: counts for (each, value), counts in found.items() if each == part}
        total = sum(kept for kept, _ in own.values())
        named = [value for each, value in wanted if each == part and value not in own]
        for value in (*own, *named):
            kept, verified = own.get(value) or _together(own, part, value)
            share, want = kept / max(total, 1), wanted.get((part, value))
            # A share that one trajectory more or less would pass is met.
            slack = max(mix.tolerance, 1 / max(total, 1) if part == "kind" else 0.0) + 1e-6
            met = want is None or abs(share - want) <= slack
            yield Share(part, value, want, share, kept, verified, met)


def _together(own: Mapping[str, tuple[int, int]], part: str, value: str) -> tuple[int, int]:
    """The counts of `3+` calls; nothing for a value that nobody has."""
    if part != "tool_calls" or not value.endswith("+"):
        return 0, 0
    several = [counts for calls, counts in own.items() if int(calls) >= int(value[:-1])]
    return sum(kept for kept, _ in several), sum(verified for _, verified in several)
