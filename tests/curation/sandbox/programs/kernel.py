"""System calls that no session may make, by their number on x86-64."""

from __future__ import annotations

from tests.curation.sandbox.programs.preamble import CALL, MACHINE_CODE

CALLS: list[tuple[str, int, tuple[int | bytes, ...]]] = [
    # Other processes, new processes.
    ("ptrace", 101, (0, 0, 0, 0)),
    ("process_vm_readv", 310, (1, 0, 0, 0, 0, 0)),
    ("process_vm_writev", 311, (1, 0, 0, 0, 0, 0)),
    ("pidfd_open", 434, (1, 0)),
    ("pidfd_getfd", 438, (3, 0, 0)),
    ("kcmp", 312, (1, 1, 0, 0, 0)),
    ("clone_process", 56, (17, 0, 0, 0, 0)),
    ("clone3", 435, (0, 0)),
    ("vfork", 58, ()),
    ("execve", 59, (b"/opt/python/bin/python3", 0, 0)),
    ("execveat", 322, (-100, b"/opt/python/bin/python3", 0, 0, 0)),
    ("setpgid", 109, (0, 0)),
    ("setsid", 112, ()),
    ("prctl", 157, (4, 1, 0, 0, 0)),
    ("seccomp_off", 157, (22, 0, 0, 0, 0)),
    ("seccomp", 317, (0, 0, 0)),
    # Mounts and namespaces.
    ("mount", 165, (b"tmpfs", b"/work", b"tmpfs", 0, 0)),
    ("umount", 166, (b"/proc", 2)),
    ("fsopen", 430, (b"tmpfs", 0)),
    ("open_tree", 428, (-100, b"/", 1)),
    ("mount_setattr", 442, (-100, b"/", 0, 0, 0)),
    ("pivot_root", 155, (b"/work", b"/work")),
    ("chroot", 161, (b"/work",)),
    ("unshare_user", 272, (0x10000000,)),
    ("setns", 308, (0, 0)),
    ("sethostname", 170, (b"x", 1)),
    # Wide or young parts of the kernel.
    ("io_uring_setup", 425, (8, 0)),
    ("io_uring_enter", 426, (0, 0, 0, 0, 0)),
    ("bpf", 321, (0, 0, 0)),
    ("perf", 298, (0, 0, -1, -1, 0)),
    ("userfaultfd", 323, (1,)),
    ("keyctl", 250, (0, -3, 0)),
    ("add_key", 248, (b"user", b"x", b"y", 1, -3)),
    ("request_key", 249, (b"user", b"x", 0, 0)),
    ("landlock", 444, (0, 0, 1)),
    ("name_to_handle", 303, (-100, b"/", 0, 0, 0)),
    ("open_by_handle", 304, (0, 0, 0)),
    ("cachestat", 451, (0, 0, 0, 0)),
    ("vmsplice", 278, (0, 0, 0, 0)),
    ("personality", 135, (0x0040000,)),
    ("modify_ldt", 154, (0, 0, 0)),
    ("ioctl_push_input", 16, (0, 0x5412, b"x")),
    # Memory and objects that no limit would count, or that outlive the session.
    ("shmget", 29, (0, 4096, 0o1600)),
    ("semget", 64, (0, 1, 0o1600)),
    ("msgget", 68, (0, 0o1600)),
    ("mq_open", 240, (b"x", 0o102, 0o600, 0)),
    ("memfd_create", 319, (b"x", 0)),
    ("memfd_secret", 447, (0,)),
    ("mlockall", 151, (1,)),
    ("timer_create", 222, (1, 0, 0)),
    ("timerfd", 283, (1, 0)),
    ("signalfd", 289, (-1, b"\\0" * 8, 8, 0)),
    ("inotify", 294, (0,)),
    ("fanotify", 300, (0, 0)),
    ("setxattr", 188, (b"/work", b"user.x", b"y", 1, 0)),
    # Sockets, and descriptors passed through them.
    ("socket", 41, (1, 1, 0)),
    ("socketpair", 53, (1, 1, 0, 0)),
    ("sendmsg", 46, (3, 0, 0)),
    ("recvmsg", 47, (3, 0, 0)),
    ("listen", 50, (3, 1)),
    ("accept", 43, (3, 0, 0)),
    ("setsockopt", 54, (3, 1, 16, b"\\1\\0\\0\\0", 4)),
    # The machine.
    ("clock_settime", 227, (0, b"\\0" * 16)),
    ("adjtimex", 159, (b"\\0" * 256,)),
    ("reboot", 169, (0, 0, 0, 0)),
    ("kexec", 246, (0, 0, 0, 0)),
    ("init_module", 175, (0, 0, 0)),
    ("syslog", 103, (3, b"\\0" * 64, 64)),
    ("swapon", 167, (b"/work/x", 0)),
    ("acct", 163, (b"/work/x",)),
    ("quotactl", 179, (0, 0, 0, 0)),
    ("iopl", 172, (3,)),
    ("ioperm", 173, (0, 1, 1)),
    ("setpriority", 141, (0, 0, -5)),
    ("realtime", 144, (0, 1, b"\\1\\0\\0\\0")),
    ("setaffinity", 203, (0, 8, b"\\1" + b"\\0" * 7)),
    ("ioprio_set", 251, (1, 0, 0)),
    # Rights.
    ("gain_capabilities", 126, (0, 0)),
    ("setuid", 105, (0,)),
    ("setgroups", 116, (1, b"\\0" * 4)),
    ("mknod", 133, (b"/work/disk", 0o60600, 0x800)),
]

KERNEL = {
    f"call_{name}": CALL + f"error = attempt(lambda: call({number}, *{arguments}))"
    for name, number, arguments in CALLS
}
"""Programs whose `error` tells how the kernel answered."""

OTHER_TABLES = {
    "x32_socket": CALL + "call(0x40000000 | 41, 2, 1, 0)",
    # mov eax, 359 (socket); mov ebx, 1; mov ecx, 1; xor edx, edx; int 0x80; ret
    "i386_socket": MACHINE_CODE + "native('b867010000bb01000000b90100000031d2cd80c3')",
    # mov eax, 2 (fork); int 0x80; ret
    "i386_fork": MACHINE_CODE + "native('b802000000cd80c3')",
}
"""The kernel's other call tables, whose numbers mean other calls: using them ends the session."""
