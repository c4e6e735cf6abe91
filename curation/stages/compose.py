"""Compose: verified rollouts become trajectories, some of each sample, some without tools."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from curation.dialects import Dialect
from curation.job import Job
from curation.recipes.recipe import Teach
from curation.stage import Count, batches, to_json
from curation.stages.conclude import LOOKS, conclude
from curation.stages.pairs import conversation, write_pairs
from curation.stages.verify import CHECKED, PASSED
from curation.verification import names_sql
from schemas import Rollout, Trajectory, to_table
from schemas.arrow import from_dict


def compose(job: Job) -> Count:
    """Conclude, then choose and write the trajectories; recomputed in every run."""
    teach = job.recipe.teach
    assert teach is not None, "the pipeline composes only where the recipe teaches"
    conclude(job, teach)
    job.run.table("trajectories").replace(_trajectories(job, teach))
    write_pairs(job, teach)
    checked = job.run.value(f"SELECT count(*) FROM ({CHECKED})")
    made = job.run.value("SELECT count(*) FROM trajectories")
    return Count("compose", checked, made, dropped=checked - made)


def chosen_sql(teach: Teach) -> str:
    """Verified rollouts: at most `per_sample` with tools of a sample, and the direct share.

    Direct ones come from samples that have none with tools, in the order of their ids, which is
    as good as random.
    """
    order = "tool_calls, tokens, rollout_id"
    if teach.choose == "diverse":
        order = f"nth, {order}"
    least = max(teach.min_tool_calls, 1)
    parts = teach.direct_share / (1 - teach.direct_share)
    return f"""
        WITH verified AS (
            SELECT *, row_number() OVER (
                PARTITION BY sample_id, tool_calls ORDER BY tokens, rollout_id) AS nth
            FROM ({LOOKS}) SEMI JOIN ({PASSED}) USING (rollout_id)
            WHERE rollout_id NOT IN (
                SELECT rollout_id FROM verifications
                WHERE "check" IN {names_sql((*teach.require, ""))} AND NOT passed)
        ),
        chosen AS (
            FROM verified WHERE tool_calls >= {least} QUALIFY row_number() OVER (
                PARTITION BY sample_id ORDER BY {order}) <= {teach.per_sample}
        ),
        direct AS (
            FROM verified ANTI JOIN chosen USING (sample_id) WHERE tool_calls = 0
            QUALIFY row_number() OVER (PARTITION BY sample_id ORDER BY {order}) = 1
        )
        FROM (
            FROM chosen UNION ALL (
                FROM direct {"" if teach.min_tool_calls == 0 else _at_most(parts)})
        ) ORDER BY sample_id, rollout_id
    """


def _at_most(parts: float) -> str:
    """SQL: as many as `parts` for every chosen trajectory with tools."""
    return f"""QUALIFY row_number() OVER (ORDER BY sample_id)
        <= round({parts} * (SELECT count(*) FROM chosen))"""


def _trajectories(job: Job, teach: Teach) -> Iterator[pa.Table]:
    for batch in batches(job.run, chosen_sql(teach), rows=256):
        yield to_table(
            Trajectory,
            (trajectory(row, job.recipe.dialect(row["dialect"])) for row in batch.to_pylist()),
        )


def trajectory(row: dict[str, Any], dialect: Dialect) -> Trajectory:
    """A rollout as the conversation that it was, observations as user turns."""
    rollout = from_dict(Rollout, row)
    opening = dialect.opening(row["question"], len(row["image_ids"]))
    told, shown = conversation(rollout.turns)
    messages = (*opening, *told)
    image_ids = (*row["image_ids"], *shown)
    content = to_json([[(m.role, m.content) for m in messages], list(image_ids)])
    return Trajectory(
        trajectory_id=hashlib.sha256(content.encode()).hexdigest(),
        sample_id=rollout.sample_id,
        rollout_id=rollout.rollout_id,
        dialect=rollout.dialect,
        messages=messages,
        image_ids=image_ids,
        tool_calls=row["tool_calls"],
        completion_tokens=row["tokens"],
        written_by=rollout.written_by,
    )
