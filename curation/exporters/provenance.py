"""Where every exported row comes from, and why a row is not there: two tables beside the shards.

They are separate files because the DeepEyes forks break on additional struct members, and lie in
a folder of their own because trainers read every Parquet file beside the shards.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pyarrow as pa

from curation.exporters.base import ExportRow
from curation.exporters.checks import Complaint
from schemas import Benefit

FOLDER = "records"
PROVENANCE = "provenance"
LEFT_OUT = "left_out"

_COUNTS = [field.name for field in fields(Benefit) if field.type == "int"]

PROVENANCE_SCHEMA = pa.schema(
    [
        # Position over all shards in the order of their names, from 0.
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
        ("trajectory_id", pa.string()),
        ("rollout_id", pa.string()),
        ("image_ids", pa.list_(pa.string())),
        *((name, pa.int64()) for name in _COUNTS),
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


def provenance_row(example: ExportRow, row_id: str, position: int) -> dict[str, Any]:
    """One row of PROVENANCE_SCHEMA; counts are null where tool benefit was not measured."""
    sample, trajectory = example.sample, example.trajectory
    counts = {name: getattr(example.benefit, name, None) for name in _COUNTS}
    return counts | {
        "position": position,
        "row_id": row_id,
        "sample_id": sample.sample_id,
        "source": sample.source,
        "origin_id": sample.origin_id,
        "origin": sample.origin,
        "license": sample.license,
        "category": sample.category,
        "dialect": trajectory.dialect if trajectory else example.dialect,
        "trajectory_id": trajectory.trajectory_id if trajectory else None,
        "rollout_id": trajectory.rollout_id if trajectory else None,
        "image_ids": list(trajectory.image_ids if trajectory else sample.image_ids),
    }


def left_out_row(example: ExportRow, row_id: str, complaint: Complaint) -> dict[str, Any]:
    """One row of LEFT_OUT_SCHEMA."""
    return {
        "row_id": row_id,
        "sample_id": example.sample.sample_id,
        "source": example.sample.source,
        "rule": complaint.rule,
        "sentence": complaint.sentence,
    }
