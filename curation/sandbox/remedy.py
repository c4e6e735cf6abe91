"""Why a sandbox cannot be had here, and what to do about it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/")
SWITCHES = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ("kernel/unprivileged_userns_clone", "0", "1"),
    ("user/max_user_namespaces", "0", "10000"),
)
"""Settings of the kernel: path, the value that denies user namespaces, one that allows them."""
CONTAINERS = (".dockerenv", "run/.containerenv", "var/run/secrets/kubernetes.io")
"""What container engines leave in a container's root."""


def remedy(reason: str, root: Path = ROOT) -> str:
    """The reason that bubblewrap or the fork server gave, with what to do about it."""
    return f"{reason or 'bubblewrap ended without a word'}; {_advice(reason, root)}"


def _advice(reason: str, root: Path) -> str:
    for path, denies, allows in SWITCHES:
        if _read(root / "proc/sys" / path) == denies:
            return f"allow user namespaces: `sysctl {path.replace('/', '.')}={allows}`"
    if "No space left on device" in reason:
        return "raise the number of namespaces: `sysctl user.max_user_namespaces=10000`"
    if any((root / mark).exists() for mark in CONTAINERS):
        return (
            "let the container make namespaces and mounts: `docker run --security-opt "
            "seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
            "systempaths=unconfined` (Kubernetes: `seccompProfile` and `appArmorProfile` "
            "Unconfined, `procMount` Unmasked)"
        )
    return "check that `bwrap --unshare-all --ro-bind / / true` works for an ordinary user"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""  # this kernel has no such setting
