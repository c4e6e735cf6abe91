"""A refusal names its reason and what to do about it, for the usual causes."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.sandbox.remedy import remedy

NO_NAMESPACE = "bwrap: No permissions to create new namespace"
DOCKER = "bwrap: Creating new namespace failed: Operation not permitted"
MASKED_PROC = "bwrap: Can't mount proc on /newroot/proc: Operation not permitted"
APPARMOR = "bwrap: setting up uid map: Permission denied"


@pytest.mark.parametrize(
    ("said", "files", "advice"),
    [
        (
            APPARMOR,
            {"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"},
            "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
        ),
        (
            NO_NAMESPACE,
            {"proc/sys/kernel/unprivileged_userns_clone": "0\n"},
            "`sysctl kernel.unprivileged_userns_clone=1`",
        ),
        (
            NO_NAMESPACE,
            {"proc/sys/user/max_user_namespaces": "0\n"},
            "`sysctl user.max_user_namespaces=10000`",
        ),
        (
            "OSError: [Errno 28] unshare: No space left on device",
            {"proc/sys/user/max_user_namespaces": "4\n"},
            "`sysctl user.max_user_namespaces=10000`",
        ),
        (DOCKER, {".dockerenv": ""}, "--security-opt seccomp=unconfined"),
        (MASKED_PROC, {".dockerenv": ""}, "--security-opt systempaths=unconfined"),
        (DOCKER, {"run/.containerenv": ""}, "--security-opt apparmor=unconfined"),
        (MASKED_PROC, {"var/run/secrets/kubernetes.io/token": ""}, "`procMount` Unmasked"),
        (DOCKER, {}, "check that `bwrap --unshare-all --ro-bind / / true` works"),
        ("", {}, "bubblewrap ended without a word; check"),
    ],
)
def test_reason_and_remedy(tmp_path: Path, said: str, files: dict[str, str], advice: str) -> None:
    allowed = {
        "proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n",
        "proc/sys/kernel/unprivileged_userns_clone": "1\n",
        "proc/sys/user/max_user_namespaces": "9999\n",
    }
    for name, text in (allowed | files).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    told = remedy(said, tmp_path)
    assert told.startswith(said)
    assert advice in told
