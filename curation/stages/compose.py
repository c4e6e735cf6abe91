"""Compose: verified rollouts become trajectories, the shortest of each sample first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from curation.dialects import Dialect
from curation.job import Job
from curation.recipe import Teach
from curation.stage import Count, batches, to_json
from curation.stages.verify import PASSED
from curation.verification import calls
from schemas import Message, Rollout, Trajectory, to_table
from schemas.arrow import from_dict


def compose(job: Job) -> Count:
    """Choose and write the trajectories; recomputed in every run."""
    teach = job.recipe.teach
    assert teach is not None, "the pipeline composes only where the recipe teaches"
    job.run.table("trajectories").replace(_trajectories(job, teach))
    verified = job.run.value(f"SELECT count(*) FROM ({PASSED})")
    made = job.run.value("SELECT count(*) FROM trajectories")
    return Count("compose", verified, made, dropped=verified - made)


def chosen_sql(teach: Teach) -> str:
    """Verified rollouts with enough tool calls, at most `per_sample` of a sample."""
    return f"""
        WITH verified AS (
            SELECT *, len(list_filter(turns, lambda turn: turn.call IS NOT NULL)) AS tool_calls,
                   list_sum(list_transform(turns, lambda turn: turn.completion_tokens)) AS tokens
            FROM rollouts SEMI JOIN ({PASSED}) USING (rollout_id)
        )
        SELECT verified.*, question, image_ids FROM verified JOIN samples USING (sample_id)
        WHERE tool_calls >= {teach.min_tool_calls}
        QUALIFY row_number() OVER (
            PARTITION BY sample_id ORDER BY tool_calls, tokens, rollout_id) <= {teach.per_sample}
        ORDER BY sample_id, rollout_id
    """


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
    messages = list(opening)
    for turn in rollout.turns:
        messages.append(Message("assistant", turn.text))
        if turn.call is not None:
            messages.append(Message("user", turn.call.text))
    shown = [image_id for call in calls(rollout) for image_id in call.image_ids]
    image_ids = (*row["image_ids"], *shown)
    content = to_json([[(m.role, m.content) for m in messages], list(image_ids)])
    return Trajectory(
        trajectory_id=hashlib.sha256(content.encode()).hexdigest(),
        sample_id=rollout.sample_id,
        rollout_id=rollout.rollout_id,
        dialect=rollout.dialect,
        messages=tuple(messages),
        image_ids=image_ids,
        tool_calls=row["tool_calls"],
        completion_tokens=row["tokens"],
    )
