"""The system calls that isolate a session, by ctypes: namespaces, mounts, limits, filter."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096

PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

CAPABILITY_VERSION = 0x20080522

ADDR_NO_RANDOMIZE = 0x0040000
READ_PERSONALITY = 0xFFFFFFFF

DEVICES = ("/dev/null", "/dev/random", "/dev/urandom", "/dev/zero")

libc = ctypes.CDLL(None, use_errno=True)


class FilterProgram(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def fix_addresses() -> None:
    """Starts this program again with the same memory layout as every time.

    Sets of objects are walked in the order of their addresses, so a replay needs the same ones;
    code that a session is free to run gains nothing from knowing them. Where the kernel refuses
    (some containers do), only the order of such sets may differ.
    """
    now = libc.personality(READ_PERSONALITY)
    if now & ADDR_NO_RANDOMIZE == 0 and libc.personality(now | ADDR_NO_RANDOMIZE) != -1:
        os.execv(sys.executable, sys.orig_argv)


def unshare() -> None:
    """New user, mount, process, network, IPC and host-name namespaces for the children."""
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    _check(libc.unshare(flags | CLONE_NEWCGROUP), "unshare")
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def mount_tmpfs(path: str, options: str, *, read_only: bool = False) -> None:
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (MS_RDONLY if read_only else 0)
    _check(libc.mount(b"tmpfs", path.encode(), b"tmpfs", flags, options.encode()), f"mount {path}")


def freeze_devices() -> None:
    """Makes the devices' mounts read-only: they work as before, but their times, which the host
    and every session see, can no longer be set."""
    for path in DEVICES:
        flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC
        _check(libc.mount(None, path.encode(), None, flags, None), f"remount {path}")


def limit(name: str, value: int) -> None:
    resource.setrlimit(getattr(resource, name), (value, value))


def address_space() -> int:
    """Bytes mapped by this process now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def drop_capabilities() -> None:
    header = struct.pack("=II", CAPABILITY_VERSION, 0)
    _check(libc.capset(header, bytes(24)), "capset")


def forbid_dumps() -> None:
    """No core dump: a limit of 0 does not hold where the host pipes dumps into a program."""
    _check(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def install_filter(program: bytes) -> None:
    """Installs a compiled system-call filter; it can never be lifted again."""
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    compiled = FilterProgram(len(program) // 8, program)
    _check(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(compiled), 0, 0), "seccomp")


def _check(status: int, call: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
