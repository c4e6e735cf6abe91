"""The records of a run: frozen dataclasses, each with one Arrow schema derived from it."""

from schemas.arrow import arrow_schema, from_table, to_table
from schemas.rollout import Author, Benefit, Counts, Rollout, Score, ToolCall, Turn
from schemas.run import Pull
from schemas.sample import Box, Duplicate, Image, Measure, Quarantined, Sample, Verdict
from schemas.trajectory import Choice, Message, Pair, Support, Trajectory, Verification

__all__ = [
    "Author",
    "Benefit",
    "Box",
    "Choice",
    "Counts",
    "Duplicate",
    "Image",
    "Measure",
    "Message",
    "Pair",
    "Pull",
    "Quarantined",
    "Rollout",
    "Sample",
    "Score",
    "Support",
    "ToolCall",
    "Trajectory",
    "Turn",
    "Verdict",
    "Verification",
    "arrow_schema",
    "from_table",
    "to_table",
]
