"""Where every exported row comes from, and why a row is not there: two tables beside the shards.

They are separate files because the DeepEyes forks break on additional struct members, and lie in
a folder of their own because trainers read every Parquet file beside the shards.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa

from curation.exporters.base import ExportRow
from curation.exporters.checks import Candidate, Complaint
from schemas import Benefit, Pair, arrow_schema

FOLDER = "records"
PROVENANCE = "provenance"
LEFT_OUT = "left_out"

_MEASURED = [
    pa.field(field.name, field.type) for field in arrow_schema(Benefit) if field.name != "sample_id"
]
"""Attempts, right answers and rates of every arm, and the benefit of tools."""

PROVENANCE_SCHEMA = pa.schema(
    [
        ("split", pa.string()),
        # Within the split, over its shards in the order of their names, from 0.
        ("position", pa.int64()),
        ("row_id", pa.string()),
        ("sample_id", pa.string()),
        ("source", pa.string()),
        ("origin_id", pa.string()),
        ("origin", pa.string()),
        ("license", pa.string()),
        ("category", pa.string()),
        # Of the rollouts that measured the sample, or of the trajectory.
        ("dialect", pa.string()),
        ("policy", pa.string()),
        # The model that wrote the trajectory, what the recipe calls it, how it was reached (url,
        # serve, embedded), on what terms, and the plan that guided it; null in rl exports.
        ("teacher", pa.string()),
        ("teacher_name", pa.string()),
        ("teacher_endpoint", pa.string()),
        ("teacher_terms", pa.string()),
        ("plan", pa.string()),
        # SHA-256 of the system message; null where rows have none.
        ("prompt_sha256", pa.string()),
        ("trajectory_id", pa.string()),
        # Of a pair, the chosen one.
        ("rollout_id", pa.string()),
        ("rejected_rollout_id", pa.string()),
        # The checks that speak against the rejected rollout, and whether the sides are one turn.
        ("rejected_by", pa.list_(pa.string())),
        ("step", pa.bool_()),
        ("image_ids", pa.list_(pa.string())),
        *_MEASURED,
    ]
)

LEFT_OUT_SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("sample_id", pa.string()),
        ("source", pa.string()),
        ("rule", pa.string()),
        ("sentence", pa.string()),
    ]
)

SCHEMAS = {PROVENANCE: PROVENANCE_SCHEMA, LEFT_OUT: LEFT_OUT_SCHEMA}


def provenance_row(
    example: ExportRow, row: dict[str, Any], row_id: str, position: int
) -> dict[str, Any]:
    """One row of PROVENANCE_SCHEMA; what was not measured, or has no model, is null."""
    sample, trajectory = example.sample, example.trajectory
    author = example.author
    measured = {field.name: getattr(example.benefit, field.name, None) for field in _MEASURED}
    return (
        measured
        | {
            "split": example.split,
            "position": position,
            "row_id": row_id,
            "sample_id": sample.sample_id,
            "source": sample.source,
            "origin_id": sample.origin_id,
            "origin": sample.origin,
            "license": sample.license,
            "category": sample.category,
            "dialect": trajectory.dialect if trajectory else example.dialect,
            "policy": example.policy or None,
            "teacher": author.model if author else None,
            "teacher_name": author.teacher if author else None,
            "teacher_endpoint": author.endpoint if author else None,
            "teacher_terms": author.terms if author else None,
            "plan": author.plan if author else None,
            "prompt_sha256": _prompt_hash(row),
            "trajectory_id": trajectory.trajectory_id if trajectory else None,
            "rollout_id": trajectory.rollout_id if trajectory else None,
            "image_ids": list(trajectory.image_ids if trajectory else sample.image_ids),
        }
        | _of_pair(example.pair)
    )


def _of_pair(pair: Pair | None) -> dict[str, Any]:
    if pair is None:
        return dict.fromkeys(("rejected_rollout_id", "rejected_by", "step"))
    return {
        "dialect": pair.dialect,
        "rollout_id": pair.chosen_rollout,
        "rejected_rollout_id": pair.rejected_rollout,
        "rejected_by": list(pair.rejected_by),
        "step": pair.step,
        "image_ids": list(pair.image_ids),
    }


def _prompt_hash(row: dict[str, Any]) -> str | None:
    system = Candidate(row).turns("system")
    return hashlib.sha256(system[0].encode()).hexdigest() if system else None


def left_out_row(example: ExportRow, row_id: str, complaint: Complaint) -> dict[str, Any]:
    """One row of LEFT_OUT_SCHEMA."""
    return {
        "row_id": row_id,
        "sample_id": example.sample.sample_id,
        "source": example.sample.source,
        "rule": complaint.rule,
        "sentence": complaint.sentence,
    }
