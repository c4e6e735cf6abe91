"""Signals to a session through its process handle, which never names another process."""

from __future__ import annotations

import contextlib
import signal


def kill(handle: int) -> None:
    """Kills a process; the first one of a namespace takes all others with it."""
    _send(handle, signal.SIGKILL)


def pause(handle: int) -> None:
    """Stops a process with all its threads; nothing inside can refuse it."""
    _send(handle, signal.SIGSTOP)


def resume(handle: int) -> None:
    _send(handle, signal.SIGCONT)


def _send(handle: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, number)
