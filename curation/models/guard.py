"""Runs a command in a process group of its own and ends the whole group when its parent is gone.

    python guard.py PARENT_ID COMMAND ...

A vLLM server is several processes, and SIGKILL of the process that started it would leave them
behind with their memory and the GPU's. PR_SET_PDEATHSIG in the server itself is not enough: it
reaches one process only, and fires when the starting *thread* ends, which may be a thread of a
pool. So this small process stands in between: it notices that its parent is gone because its
parent's id changes, and having a single thread it can make the command follow it by that signal.

Linux only, like the engine. Run by path, with only the standard library. Exit status: the
command's, or 128 + the signal that ended it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""
_POLL = 0.5
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value)


def _prepare_command() -> None:
    """Runs in the new process, before the command."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _Family:
    """The command and every process that came from it: orphans are handed to this process."""

    def __init__(self, command: list[str]) -> None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self.command = subprocess.Popen(command, process_group=0, preexec_fn=_prepare_command)

    def reap(self) -> bool:
        """Collect who has ended; False when nobody is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.command.pid:
                self.command.returncode = os.waitstatus_to_exitcode(status)

    def end(self) -> None:
        """SIGTERM to the group, SIGKILL to whoever of it is left after GRACE seconds."""
        for end in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.command.pid, end)
            deadline = time.monotonic() + GRACE
            while self.reap() and time.monotonic() < deadline:
                signal.sigtimedwait({signal.SIGCHLD}, 0.05)


def main(arguments: list[str]) -> int:
    parent, command = int(arguments[0]), arguments[1:]
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    family = _Family(command)
    while os.getppid() == parent and family.command.returncode is None:
        received = signal.sigtimedwait(_SIGNALS, _POLL)
        if received and received.si_signo != signal.SIGCHLD:
            break
        family.reap()
    # The signals stay blocked from here on: this process must outlive the group that it ends.
    family.end()
    code = family.command.returncode or 0
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
