"""Closed ranges."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def between(
    values: pa.Array, at_least: float | None = None, at_most: float | None = None
) -> pa.BooleanArray:
    """Whether each value is within both bounds, which count as inside; null where it is null.

    ValueError when no value can be.
    """
    if at_least is not None and at_most is not None and at_least > at_most:
        raise ValueError(f"at_least = {at_least} is above at_most = {at_most}: nothing is kept")
    keep = pc.is_valid(values)
    if at_least is not None:
        keep = pc.and_(keep, pc.greater_equal(values, at_least))
    if at_most is not None:
        keep = pc.and_(keep, pc.less_equal(values, at_most))
    return pc.if_else(pc.is_valid(values), keep, None)
