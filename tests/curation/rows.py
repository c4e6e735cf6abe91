"""Rows made by hand, for tests that need tables and no run."""

from __future__ import annotations

from schemas import Sample


def sample(name: str, *, source: str = "s", image_ids: tuple[str, ...] = ()) -> Sample:
    """A question without anything special."""
    return Sample(
        sample_id=name,
        source=source,
        origin_id=f"row-{name}",
        question=f"What is {name}?",
        answers=("1",),
        answer_kind="number",
        choices=(),
        image_ids=image_ids,
        evidence=(),
        category="perception",
        license="CC0-1.0",
        origin="tests",
        metadata="{}",
    )
