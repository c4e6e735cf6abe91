"""Trajectories that ask the same about the same pictures, look at the same places and say the same.

Wording alone tells little: a teacher whose thoughts are all worded alike solves different questions
in nearly the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from curation.verification.boxes import viewed
from curation.verification.case import Case, Finding

_SHINGLE = 5
"""Characters."""
SIMILAR = 0.85
"""Share of common shingles from which two texts are one; a changed word or two of a few sentences
stay above it."""
_SAME_PLACE = 0.5
"""Intersection over union from which two boxes show the same, as detection benchmarks count it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A trajectory, and its question and wording as shingles."""

    case: Case
    question: frozenset[str]
    wording: frozenset[str]


@dataclass(slots=True)
class Kept:
    """Trajectories about the same pictures, of which only the first of several alike is kept."""

    _seen: list[_Seen] = field(default_factory=list)

    def near_duplicate(self, case: Case) -> Finding:
        """Compare with what was kept before: question, wording, and the places looked at."""
        mine = _Seen(case, _shingles(case.question), _shingles(" ".join(case.texts)))
        for other in self._seen:
            alike = _alike(mine.wording, other.wording)
            asked = _alike(mine.question, other.question)
            if min(alike, asked) >= SIMILAR and _same_places(case, other.case):
                return Finding(
                    False, f"{alike:.0%} like rollout {other.case.rollout.rollout_id[:12]}"
                )
        self._seen.append(mine)
        return Finding(True, f"unlike {len(self._seen) - 1} others about the same pictures")


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    """The Jaccard index."""
    return len(one & other) / len(one | other)


def _shingles(text: str) -> frozenset[str]:
    """Never empty."""
    plain = " ".join(text.lower().split())
    return frozenset(plain[i : i + _SHINGLE] for i in range(max(len(plain) - _SHINGLE, 0) + 1))


def _same_places(one: Case, other: Case) -> bool:
    """Whether the boxes that can be told without running code are about the same, in order."""
    mine, theirs = ([box for _, box, _ in viewed(case)] for case in (one, other))
    return len(mine) == len(theirs) and all(
        _overlap(left, right) >= _SAME_PLACE for left, right in zip(mine, theirs, strict=True)
    )


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes as left, top, right, bottom."""
    if len(one) != 4 or len(other) != 4:
        return float(tuple(one) == tuple(other))
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    whole = _area(one) + _area(other) - shared
    return shared / whole if whole > 0 else 0.0


def _area(box: Sequence[float]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
