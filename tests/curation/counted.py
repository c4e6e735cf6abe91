"""Rows of counts for tests."""

from __future__ import annotations

from collections.abc import Mapping

from curation.stages.count import MEASURED


def tallies_row(sample_id: str, counts: Mapping[str, tuple[int, int, int]]) -> dict[str, int | str]:
    """A row of `tallies` from right, wrong and unscored attempts by arm; 0 in other arms."""
    row: dict[str, int | str] = {"sample_id": sample_id}
    for arm in MEASURED:
        right, wrong, unscored = counts.get(arm, (0, 0, 0))
        row |= {f"{arm}_right": right, f"{arm}_wrong": wrong, f"{arm}_unscored": unscored}
    return row
