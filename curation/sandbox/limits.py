"""What a session may use."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one session; a cell that passes one fails, and passing time ends the session."""

    cell_seconds: float = 10.0
    """Wall time of a cell when the caller names none."""
    session_seconds: float = 300.0
    """Wall time of all cells of a session together; the bound on processor time follows it."""
    memory: int = 2048 * MIB
    """Bytes of address space beyond what the imported libraries take."""
    disk: int = 64 * MIB
    """Bytes of files; they live in memory and come on top of `memory`."""
    inodes: int = 4096
    """Files and folders of a session."""
    open_files: int = 128
    """Open at a time."""
    threads: int = 64
    """Of a session, at a time."""
    code: int = 1_000_000
    """Characters of a cell's code."""
    text: int = 20_000
    """Characters of a cell's stdout, and of its result; the rest is cut, and the cut is marked."""
    traceback: int = 8_000
    """Characters of stderr; the end is kept."""
    images: int = 10
    """Images that a cell may return (the number that DeepEyesV2's environment keeps)."""
    pixels: int = 16_000_000
    """Pixels of all images that a cell returns."""
    input_pixels: int = 64_000_000
    """Pixels of an image given to the session."""

    def __post_init__(self) -> None:
        for field in fields(Limits):
            value = getattr(self, field.name)
            if not 0 < value < math.inf:
                raise ValueError(f"{field.name} is {value}: a limit is a positive number")
