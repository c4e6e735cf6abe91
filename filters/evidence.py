"""Filters on where the answer can be read."""

from __future__ import annotations

import pyarrow as pa

from filters.bounds import between


def evidence_fraction(
    evidence_fraction: pa.DoubleArray, *, at_least: float = 0.0, at_most: float = 0.05
) -> pa.BooleanArray:
    """Keep samples whose evidence boxes cover such a share of their images.

    Small evidence is what zooming is for. A sample without boxes is unmeasured, not small.
    """
    return between(evidence_fraction, at_least, at_most)
