"""How many sessions may be open, and how many cells may run, on this machine."""

from __future__ import annotations

import os
from pathlib import Path

OVERCOMMIT = 8
"""A session rarely takes an eighth of what it may; when many do, the kernel ends sessions first
(they are marked for that), and they are reported as lost."""
SHARE = 0.8
"""Part of the free memory that sessions may fill."""
CGROUP = Path("/sys/fs/cgroup")


def sessions(memory: int) -> int:
    """Open sessions that fit, when each may take `memory` bytes."""
    return max(1, int(SHARE * free_memory() * OVERCOMMIT) // memory)


def cells() -> int:
    """Cells that run at once: one a core, so that wall time means computing time."""
    return len(os.sched_getaffinity(0))


def free_memory() -> int:
    """Bytes free on the machine or in its container, whichever is less."""
    return min(_machine(), _container())


def _machine() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _container() -> int:
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return max(0, int((CGROUP / limit).read_text()) - int((CGROUP / used).read_text()))
        except (OSError, ValueError):
            continue  # no such controller, or "max": no bound
    return 1 << 62
