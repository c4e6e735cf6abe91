"""The system-call filter of a session, compiled on the host.

An allow-list: what image code needs. Left out on purpose: starting processes (`clone` is allowed
for threads only, `execve` never), sockets of every kind, mounts, namespaces, `ptrace`, keyrings,
`bpf`, `io_uring`, shared memory and `memfd_create`, which the limits would not count. `ioctl`
answers "not a terminal" because Python asks that of every file that it opens. Locks are told to
be had but never taken: on a library's file every session and the host would see them, and in a
session's own folder there is nobody to lock out. The rest of `fcntl` can do more of that kind
(leases, change notices), so only what concerns the session's own descriptors is allowed.
"""

from __future__ import annotations

import errno
import fcntl
import tempfile

from curation.errors import SandboxError

CLONE_THREAD = 0x00010000
LOCKS = (fcntl.F_SETLK, fcntl.F_SETLKW, fcntl.F_OFD_SETLK, fcntl.F_OFD_SETLKW)
OWN_DESCRIPTORS = (
    *(fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFD, fcntl.F_SETFD),
    *(fcntl.F_GETFL, fcntl.F_SETFL),
)

ALLOWED = """
read write readv writev pread64 pwrite64 preadv pwritev lseek open openat openat2 creat close
close_range dup dup2 dup3 pipe pipe2 eventfd2 poll ppoll select pselect6
epoll_create1 epoll_ctl epoll_wait epoll_pwait sendfile copy_file_range
stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 getdents64 getcwd
chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink
symlinkat readlink readlinkat chmod fchmod fchmodat utimensat truncate ftruncate fallocate fsync
fdatasync fadvise64 umask
brk mmap munmap mremap mprotect madvise mincore msync
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack
pause kill tkill tgkill alarm getitimer setitimer restart_syscall
getpid getppid gettid getuid geteuid getgid getegid getgroups getresuid getresgid getpgid getpgrp
getsid uname sysinfo getrlimit setrlimit prlimit64 getrusage times time getrandom getcpu
clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday
futex set_robust_list get_robust_list set_tid_address rseq arch_prctl membarrier
sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max
sched_get_priority_min exit exit_group wait4 waitid
"""


def compile_filter() -> bytes:
    """The filter as BPF for the machine's own architecture; raises SandboxError."""
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError) as error:
        raise SandboxError(
            f"the sandbox needs libseccomp for its system-call filter ({error}): "
            "install it, on Debian with `apt-get install libseccomp2`"
        ) from error
    rules = seccomp.SyscallFilter(defaction=seccomp.ERRNO(errno.EPERM))
    for name in ALLOWED.split():
        # A name that this architecture does not know stays refused.
        if seccomp.resolve_syscall(seccomp.system_arch(), name) >= 0:
            rules.add_rule(seccomp.ALLOW, name)
    threads = seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
    rules.add_rule(seccomp.ALLOW, "clone", threads)
    # The C library falls back to `clone`, whose flags a filter can read.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.add_rule(seccomp.ERRNO(errno.ENOTTY), "ioctl")
    for command in OWN_DESCRIPTORS:
        rules.add_rule(seccomp.ALLOW, "fcntl", seccomp.Arg(1, seccomp.EQ, command))
    for command in LOCKS:
        rules.add_rule(seccomp.ERRNO(0), "fcntl", seccomp.Arg(1, seccomp.EQ, command))
    rules.add_rule(seccomp.ERRNO(0), "flock")
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
