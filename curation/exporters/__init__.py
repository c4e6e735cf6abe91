"""Exports: Parquet shards that a trainer loads as they are, checked row by row."""

from curation.exporters.base import ExportRow, Target
from curation.exporters.targets import TARGETS, get_target
from curation.exporters.writer import ExportSummary, LeftOut, write_export

__all__ = [
    "TARGETS",
    "ExportRow",
    "ExportSummary",
    "LeftOut",
    "Target",
    "get_target",
    "write_export",
]
