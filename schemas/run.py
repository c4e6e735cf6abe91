"""What a run remembers about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pull:
    """A source that was read to its end, so that the next run need not read it again unless it has
    changed."""

    source: str
    """Name of the source in the recipe."""
    use: str
    """The function that read it."""
    settings: str
    """JSON text of its settings, without `limit`; `@version` is what it said of its version."""
    limit: int | None
    """The most rows that were asked for; null when all were."""
    rows: int | None
    """Rows that it ever gave, each now a sample or in quarantine; null until it was read to its
    end."""
