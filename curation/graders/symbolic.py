"""Symbolic equality in a process that can be killed.

math-verify bounds its own time with SIGALRM, which works in a main thread only and cannot stop a
power tower inside the interpreter's integer arithmetic. A child process can always be stopped, and
graders may be called from any thread. Its bound is on processor time, not on the clock, so that a
busy machine grades like an idle one.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

CPU_SECONDS = 10.0
"""For one comparison; most take milliseconds."""


class Symbolic:
    """One child process, started with the first comparison; callers from all threads queue."""

    def __init__(self, *, cpu_seconds: float = CPU_SECONDS) -> None:
        self._cpu_seconds = cpu_seconds
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None

    def forget(self) -> None:
        """Leave the child to the process that started it; for a fork of that process."""
        self._lock = threading.Lock()
        self._child = None

    def compare(self, said: str, gold: str) -> str:
        """`equal`, `different`, `unread_gold`, `unread_answer`, `failed` or `late`."""
        with self._lock:
            if self._child is None:
                self._child = _start(self._cpu_seconds)
            try:
                return _ask(self._child, json.dumps([said, gold]))
            except (OSError, EOFError):
                return "late" if self._stop() == -signal.SIGPROF else "failed"
            except BaseException:
                # Its answer may still come, and must not be taken for the next one.
                self._stop()
                raise

    def close(self) -> None:
        """Stop the child; the next comparison starts another."""
        with self._lock:
            self._stop()

    def _stop(self) -> int | None:
        """How the child ended, by itself or now."""
        child, self._child = self._child, None
        if child is None:
            return None
        child.kill()
        # What was buffered for the dead child goes nowhere.
        with contextlib.suppress(OSError):
            child.communicate()
        return child.wait()


def _start(cpu_seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "curation.graders.symbolic_worker", str(cpu_seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _ask(child: subprocess.Popen[str], line: str) -> str:
    """The child's answer; EOFError or OSError when it has died."""
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()
    reply = child.stdout.readline()
    if not reply:
        raise EOFError
    return str(json.loads(reply))


SYMBOLIC = Symbolic()
atexit.register(SYMBOLIC.close)
os.register_at_fork(after_in_child=SYMBOLIC.forget)
