"""Finds the cause of a failure in the log of a vLLM server."""

from __future__ import annotations

import re
from pathlib import Path

_LONGEST = 300
"""Characters shown; vLLM lists every architecture that it knows in one line."""

_PREFIX = re.compile(r"^(\(\S+ pid=\d+\) )?((ERROR|CRITICAL) \S+ \S+ \[\S+\] )?")
_ERROR = re.compile(r"^[\w.]*(Error|Exception|error)\b(: \S.*)?$|^\S+: error: \S")
# Errors that only say that there was an error.
_ECHOES = ("root cause", "EngineDeadError", "EngineCore encountered an issue")


def last_error(log: Path) -> str:
    """The last line that names a cause, without vLLM's prefixes; else the last line."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "it wrote no log"
    lines = [_PREFIX.sub("", line).strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    for index in reversed(range(len(lines))):
        if _ERROR.match(lines[index]) and not any(echo in lines[index] for echo in _ECHOES):
            return _with_detail(lines, index)[:_LONGEST]
    return lines[-1][:_LONGEST] if lines else "its log is empty"


def _with_detail(lines: list[str], index: int) -> str:
    """pydantic says what is wrong in the line after its own error."""
    if "ValidationError" in lines[index] and index + 1 < len(lines):
        return lines[index + 1]
    return lines[index]
