"""The report of a run: one HTML page with everything in it, which asks no network for anything."""

from curation.report.write import write_report

__all__ = ["write_report"]
