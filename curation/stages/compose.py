"""Compose: verified rollouts become trajectories, as the recipe chooses and mixes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from curation.dialects import Dialect
from curation.job import Job
from curation.mixing import missed
from curation.stage import Count, batches, to_json
from curation.stages.choose import choose, shares
from curation.stages.conclude import LOOKS, conclude
from curation.stages.pairs import conversation, write_pairs
from curation.stages.verify import CHECKED
from schemas import Rollout, Trajectory, to_table
from schemas.arrow import from_dict


def compose(job: Job) -> Count:
    """Conclude, then choose and write the trajectories; recomputed in every run."""
    teach = job.recipe.teach
    assert teach is not None, "the pipeline composes only where the recipe teaches"
    conclude(job, teach)
    choose(job, teach)
    job.run.table("trajectories").replace(_trajectories(job))
    write_pairs(job, teach)
    for sentence in missed(shares(job.run, teach)):
        job.reporter.say(sentence)
    return _count(job)


def _count(job: Job) -> Count:
    """Checked rollouts: rejected in view of others, left out with a reason, or trajectories."""
    checked = job.run.value(f"SELECT count(*) FROM ({CHECKED})")
    rejected = checked - job.run.value("SELECT count(*) FROM choices")
    left_out = job.run.value("SELECT count(*) FROM choices WHERE dropped_by IS NOT NULL")
    made = job.run.value("SELECT count(*) FROM trajectories")
    return Count("compose", checked, made, dropped=rejected + left_out)


def _trajectories(job: Job) -> Iterator[pa.Table]:
    chosen = f"""FROM ({LOOKS}) SEMI JOIN (FROM choices WHERE dropped_by IS NULL)
                 USING (rollout_id) ORDER BY sample_id, rollout_id"""
    for batch in batches(job.run, chosen, rows=256):
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
