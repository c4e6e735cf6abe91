"""Exports: Parquet shards that a trainer loads as they are, checked row by row."""

from curation.exporters.base import Background, ExportRow, Target
from curation.exporters.contract import check_exports
from curation.exporters.settings import ExportSettings
from curation.exporters.shard_rules import Finding
from curation.exporters.targets import TARGETS, get_target
from curation.exporters.writer import ExportSummary, LeftOut, write_export

__all__ = [
    "TARGETS",
    "Background",
    "ExportRow",
    "ExportSettings",
    "ExportSummary",
    "Finding",
    "LeftOut",
    "Target",
    "check_exports",
    "get_target",
    "write_export",
]
