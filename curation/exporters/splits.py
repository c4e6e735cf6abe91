"""Which rows are held out: by image, so that no image is on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def held_out(
    samples: Iterable[tuple[str, Sequence[str]]], *, share: float, seed: int
) -> frozenset[str]:
    """Sample ids of the split `val`, given every sample's id and image ids.

    Samples that share an image, directly or through others, form a group; a group goes whole, by
    a hash of the seed and its first image. So the share is met on average, and a group stays where
    it is when others are added. Memory grows with the number of images, not with their bytes.
    """
    if not share:
        return frozenset()
    roots = _Roots()
    first: dict[str, str] = {}
    for sample_id, image_ids in samples:
        key, *others = image_ids or (sample_id,)
        first[sample_id] = key
        for other in others:
            roots.join(key, other)
    return frozenset(
        sample_id for sample_id, key in first.items() if _draw(seed, roots.find(key)) < share
    )


def _draw(seed: int, name: str) -> float:
    """A number from 0 to below 1 that depends on nothing but its arguments."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


class _Roots:
    """Disjoint sets of names; a set is known by its smallest name, whatever the order of joins."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        while (parent := self._parent.get(name, name)) != name:
            # Halving the path keeps later searches short.
            self._parent[name] = self._parent.get(parent, parent)
            name = parent
        return name

    def join(self, one: str, other: str) -> None:
        small, large = sorted((self.find(one), self.find(other)))
        self._parent[large] = small
