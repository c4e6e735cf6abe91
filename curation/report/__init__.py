"""The report of a run: one HTML page with everything in it, which asks no network for anything.

It is one file, so that it can be sent and kept; therefore its cards are bounded. Of a large run
they are a draw that is the same every time, with every fate of every source in it (`choose`). All
of them are in the document, and the script shows some at a time: a page of 50 is laid out at once,
and filters and the search see them all.
"""

from curation.report.write import write_report

__all__ = ["write_report"]
