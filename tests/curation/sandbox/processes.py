"""The processes of a sandbox, seen from the host."""

from __future__ import annotations

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


def fork_server(sandbox: Sandbox) -> int:
    """The interpreter that forks the sessions: the oldest one."""
    return min(
        pid
        for pid in descendants(sandbox)
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/opt/python")
    )


def state(pid: int) -> str:
    """`R`, `S`, `T`...; see proc(5)."""
    return _stat(pid)[0]


def processor_time(pid: int) -> int:
    """Clock ticks spent so far, in the program and in the kernel."""
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12])


def open_descriptors() -> int:
    """Of this process, on the host."""
    return len(list(Path("/proc/self/fd").iterdir()))


def _stat(pid: int) -> list[str]:
    """The fields after the name."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
