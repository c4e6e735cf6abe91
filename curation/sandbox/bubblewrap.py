"""The command that starts the fork server inside bubblewrap.

Inside there are: the C library, the interpreter, the folders that hold the imaging libraries, four
devices, and a folder that is replaced by a private one in each session. There is no network, no
environment, no `/etc`, no home, and nothing that can be written but the work folder.

Started as root, the libraries are first bound to neutral paths (they may lie in a folder that only
root can enter) and root is given up before the real sandbox is made: some limits do not hold
for root even in a user namespace.

There is no second local backend. Where user namespaces are denied, `sandlock` (0.9.0: Landlock and
system calls answered by a supervisor) looks like one, and does not reach the bar:

- Its limits on memory and file space are those of a whole sandbox. A fork server inside one would
  give its sessions a common bound and a common folder; a sandbox a session imports the libraries
  each time, which takes seconds. Its own `fork` runs callbacks in a fork of the calling process,
  which puts the host's memory within reach, gives all clones one life and waits for their end.
- Landlock does not hide files: sizes, times and owners of all the host's files can be read, which
  fails the probe of files, and a locked library file is a channel between sessions.
- Processes can be forked unless they are counted, root stays root, and its list of refused system
  calls leaves out `memfd_secret` and `memfd_create`, whose memory no limit counts.

Such a host can use a sandbox on another machine.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from curation.errors import SandboxError
from curation.sandbox.jail.linux import DEVICES

NOBODY = "65534"
PACKAGES = ("cv2", "matplotlib", "numpy", "PIL", "scipy")
INTERPRETER = f"/opt/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
ENVIRONMENT = {
    "HOME": "/work",
    "LANG": "C.UTF-8",
    "LD_LIBRARY_PATH": "/opt/python/lib",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/work",
    # Sets of text are walked in the same order every time, so that a replay gives the same.
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TZ": "UTC",
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    ),
}


def command() -> list[str]:
    """The whole command line; raises SandboxError where a part is missing."""
    bwrap = _program("bwrap", "bubblewrap")
    mounts = interpreter_files()
    mounts |= {site: f"/opt/site{i}" for i, site in enumerate(library_folders())}
    mounts[Path(__file__).parent / "jail"] = "/opt/toolsight/curation/sandbox/jail"
    if os.getuid() != 0:
        return [bwrap, *inner(mounts)]
    neutral = {Path(target): target for target in mounts.values()}
    return [bwrap, *outer(mounts), bwrap, *inner(neutral)]


def interpreter_files() -> dict[Path, str]:
    """The interpreter and its libraries; what else lies in its prefix may be the host's own."""
    program = Path(INTERPRETER).relative_to("/opt/python")
    parts = [Path(sys.base_prefix, part) for part in (program, "lib", "lib64")]
    if not parts[0].exists():
        raise SandboxError(f"the sandbox needs {parts[0]}: use a Python that is installed whole")
    prefix = Path(sys.base_prefix)
    return {part: f"/opt/python/{part.relative_to(prefix)}" for part in parts if part.exists()}


def library_folders() -> list[Path]:
    """The folders that hold the imaging libraries, in the order of the import path."""
    found = set()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SandboxError(f"the sandbox needs {package}: install the package's dependencies")
        found.add(Path(spec.origin).parents[1])
    return [folder for folder in dict.fromkeys(map(Path, sys.path)) if folder in found]


def outer(mounts: dict[Path, str]) -> Iterator[str]:
    """As root: binds the folders to paths that anybody can enter, then gives up root."""
    setpriv = _program("setpriv", "util-linux")
    yield from ("--die-with-parent", "--ro-bind", "/usr", "/usr", *_system_links())
    # The inner bubblewrap builds its tree on /tmp.
    yield from ("--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev", "--dir", "/tmp")
    yield from _binds(mounts)
    yield from ("--", setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    yield from ("--no-new-privs", "--")


def inner(mounts: dict[Path, str]) -> Iterator[str]:
    """The sandbox itself, as an unprivileged user."""
    yield from ("--unshare-all", "--unshare-user", "--uid", NOBODY, "--gid", NOBODY)
    yield from ("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox")
    yield "--clearenv"
    for name, value in (ENVIRONMENT | {"PYTHONPATH": _import_path(mounts)}).items():
        yield from ("--setenv", name, value)
    yield from ("--dir", "/usr", "--ro-bind", "/usr/lib", "/usr/lib")
    yield from ("--ro-bind-try", "/usr/lib64", "/usr/lib64", *_system_links())
    yield from _binds(mounts)
    yield from ("--proc", "/proc", "--tmpfs", "/dev")
    for device in DEVICES:
        yield from ("--dev-bind", device, device)
    yield from ("--tmpfs", "/work", "--symlink", "/work", "/tmp", "--chdir", "/work")
    yield from ("--remount-ro", "/dev", "--remount-ro", "/")
    yield from ("--", INTERPRETER, "-S", "-P", "-m", "curation.sandbox.jail.zygote")


def _binds(mounts: dict[Path, str]) -> Iterator[str]:
    # Folders made on the way to a mount would be closed to others than their owner.
    parents = {parent for target in mounts.values() for parent in Path(target).parents}
    for parent in sorted(parents - {Path("/")}):
        yield from ("--dir", str(parent))
    for source, target in mounts.items():
        yield from ("--ro-bind", str(source), target)


def _system_links() -> Iterator[str]:
    """`/lib` and its kin: links into `/usr` on merged systems, folders elsewhere."""
    for path in map(Path, ("/lib", "/lib64")):
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))


def _import_path(mounts: dict[Path, str]) -> str:
    sites = [target for target in mounts.values() if target.startswith("/opt/site")]
    return ":".join(["/opt/toolsight", *sites])


def _program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SandboxError(
            f"the sandbox needs {name}: install it, on Debian with `apt-get install {package}`"
        )
    return path
