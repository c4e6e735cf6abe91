"""The self-test: real attempts to get out, made before the first cell is trusted to the sandbox."""

from __future__ import annotations

import socket
import tempfile
from typing import TYPE_CHECKING

from curation.errors import SandboxError
from curation.sandbox import bubblewrap
from curation.sandbox.session import CellResult, Session

if TYPE_CHECKING:
    from curation.sandbox.sandbox import Sandbox

NETWORK = """
import socket
try:
    socket.create_connection(("127.0.0.1", {port}), 1)
    print("reached the host")
except OSError as error:
    print("closed:", type(error).__name__)
"""
FILES = """
import os
try:
    open({path!r})
    print("read a file of the host")
except OSError as error:
    print("closed:", type(error).__name__)
seen = sorted(set(os.listdir("/")) - {{"dev", "lib", "lib64", "opt", "proc", "tmp", "usr", "work"}})
if seen or os.listdir("/proc"):
    print("sees", seen, os.listdir("/proc"))
"""
WRITING = """
import os
for folder in ("/", "/dev", "/opt", "/usr/lib", "/proc"):
    try:
        open(folder + "/probe", "w")
        print("wrote to", folder)
    except OSError:
        pass
print("closed: read-only")
"""
ENVIRONMENT = """
import os
found = sorted(set(os.environ) - {names!r})
print("leaks " + ", ".join(found) if found else "closed: only its own")
"""
PROCESSES = """
import os
try:
    os.fork()
    print("started a process")
except OSError as error:
    print("closed:", type(error).__name__)
"""
MEMORY = """
try:
    block = bytearray({size})
    print("took too much")
except MemoryError as error:
    print("closed:", type(error).__name__)
"""
# Modules that the fork server has not imported: libraries must stay readable in a session.
LIBRARIES = """
import sqlite3, PIL.PSDraw
print("closed: readable")
"""
OWN_NAMES = {*bubblewrap.ENVIRONMENT, "PYTHONPATH", "LC_CTYPE", "PWD"}
"""Environment variables that the sandbox sets, or Python and bubblewrap by themselves."""


async def probe(sandbox: Sandbox) -> dict[str, str]:
    """What each attempt met, by property; raises SandboxError if one got through."""
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.NamedTemporaryFile() as file:
        cells = {
            "network": NETWORK.format(port=listener.getsockname()[1]),
            "files": FILES.format(path=file.name),
            "writing": WRITING,
            "environment": ENVIRONMENT.format(names=OWN_NAMES),
            "processes": PROCESSES,
            "memory": MEMORY.format(size=2 * sandbox.limits.memory),
            "libraries": LIBRARIES,
        }
        async with await sandbox.open() as session:
            found = {name: await _attempt(session, name, code) for name, code in cells.items()}
            found["time"] = _time(await session.run("while True: pass", timeout=0.2))
        return found


async def _attempt(session: Session, name: str, code: str) -> str:
    result = await session.run(code, timeout=30)
    said = result.stdout.strip() or result.stderr.strip()
    if result.status != "ok" or not said.startswith("closed: ") or "\n" in said:
        raise SandboxError(
            f"the sandbox's self-test of {name} failed, so no code is run: {said}; "
            "check the version of bubblewrap and the container's security options"
        )
    return said.removeprefix("closed: ")


def _time(result: CellResult) -> str:
    if result.status != "timeout":
        raise SandboxError(f"the sandbox's self-test of time failed: {result.status}")
    return f"ended after {result.seconds:.2f} s"
