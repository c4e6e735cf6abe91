"""The processes of a sandbox, seen from the host."""

from __future__ import annotations

import math
from pathlib import Path

from curation.sandbox import Sandbox


def descendants(sandbox: Sandbox) -> set[int]:
    """What runs now below the process that the sandbox started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found = {sandbox.server_pid}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid for pid in found if pid in parents}


def sessions(sandbox: Sandbox) -> set[int]:
    """The processes of sessions: the first ones of a namespace inside that of the fork server."""
    depth = _depth(fork_server(sandbox))
    return {pid for pid in descendants(sandbox) if _depth(pid) > depth}


def fork_server(sandbox: Sandbox) -> int:
    """The interpreter that forks the sessions: the oldest one."""
    return min(descendants(sandbox), key=_interpreter_since)


def _interpreter_since(pid: int) -> float:
    """When the process was started, in clock ticks; infinity if it is no interpreter, or gone."""
    try:
        program = Path(f"/proc/{pid}/cmdline").read_bytes()
        return float(_stat(pid)[19]) if program.startswith(b"/opt/python") else math.inf
    except OSError:
        return math.inf


def state(pid: int) -> str:
    """`R`, `S`, `T`...; see proc(5)."""
    return _stat(pid)[0]


def ended(pid: int) -> bool:
    """Whether nothing of the process runs any more."""
    try:
        return state(pid) in "ZX"
    except OSError:
        return True


def processor_time(pid: int) -> int:
    """Clock ticks spent so far, in the program and in the kernel."""
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12])


def own_memory(pid: int) -> int:
    """Bytes that only this process holds (its unique set size)."""
    fields = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return sum(int(size) for name, size, *_ in fields if name.startswith("Private_")) * 1024


def open_descriptors() -> int:
    """Of this process, on the host."""
    return len(list(Path("/proc/self/fd").iterdir()))


def _depth(pid: int) -> int:
    """How many process namespaces know the process; 0 when it has just ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    (line,) = [line for line in status.splitlines() if line.startswith("NSpid:")]
    return len(line.split()) - 1


def _stat(pid: int) -> list[str]:
    """The fields after the name."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
