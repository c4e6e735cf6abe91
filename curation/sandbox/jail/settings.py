"""What the host decides about a session."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The fields of `curation.sandbox.Limits` that hold inside; there they are described."""

    session_seconds: float
    memory: int
    disk: int
    inodes: int
    open_files: int
    threads: int
    text: int
    traceback: int
    images: int
    pixels: int
