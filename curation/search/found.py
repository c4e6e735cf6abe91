"""What a search gives, whichever engine was asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One hit, in the words of where it was found: neither cut nor cleaned."""

    title: str = ""
    url: str = ""
    text: str = ""
    """A passage or snippet."""
    date: str = ""
    """When the page was published, as the engine writes it."""
    image: bytes | None = None
    """Encoded thumbnail; image searches only."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a search, best first; no results are an answer too."""

    results: tuple[Result, ...] = ()
