"""Trajectories that say the same about the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from curation.verification.case import Finding

_SHINGLE = 5
"""Characters."""
SIMILAR = 0.85
"""Share of common shingles from which two trajectories are one; a changed word or two of a few
sentences stay above it."""


@dataclass(slots=True)
class Kept:
    """Trajectories about the same pictures, of which only the first of several alike is kept."""

    _shingles: dict[str, frozenset[str]] = field(default_factory=dict)

    def near_duplicate(self, rollout_id: str, texts: Sequence[str]) -> Finding:
        """Compare with what was kept before, by the Jaccard index of character shingles."""
        mine = _shingles(" ".join(texts))
        for other_id, other in self._shingles.items():
            alike = len(mine & other) / len(mine | other)
            if alike >= SIMILAR:
                return Finding(False, f"{alike:.0%} like rollout {other_id[:12]}")
        self._shingles[rollout_id] = mine
        return Finding(True, f"unlike {len(self._shingles) - 1} others about the same pictures")


def _shingles(text: str) -> frozenset[str]:
    """Never empty."""
    plain = " ".join(text.lower().split())
    return frozenset(plain[i : i + _SHINGLE] for i in range(max(len(plain) - _SHINGLE, 0) + 1))
