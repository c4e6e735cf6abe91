"""The host side of the fork server: starts it, asks it for sessions, starts it again."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import os
import socket
import subprocess

from curation.errors import SandboxError
from curation.sandbox import bubblewrap
from curation.sandbox.filter import compile_filter
from curation.sandbox.jail.settings import Settings
from curation.sandbox.limits import Limits
from curation.sandbox.link import Link, readable
from curation.sandbox.remedy import remedy
from curation.sandbox.signals import kill

START_SECONDS = 300.0
"""Importing the libraries takes about three seconds, and far longer on a cold, busy machine."""
FORK_SECONDS = 30.0
FORKS = 8
"""Forks asked for at once; the server makes them one by one."""
ATTEMPTS = 3


class ForkServer:
    """Makes sessions; the server is started when there is none, and again when it has died.

    Event loops may use it one after the other: each calls `attach` first.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._running: Zygote | None = None
        self.starts = 0
        """How often a server was started: one more than the times that it died."""
        self.attach()

    def attach(self) -> None:
        """Serve the event loop that runs now."""
        self._lock = asyncio.Lock()
        self._forks = asyncio.Semaphore(FORKS)

    @property
    def pid(self) -> int | None:
        return self._running.process.pid if self._running else None

    async def fork(self) -> tuple[Link, int]:
        """A new session's link and process handle; raises SandboxError when none can be had."""
        async with self._forks:
            reason = ""
            for _ in range(ATTEMPTS):
                zygote = await self._current()
                try:
                    return await zygote.fork()
                except TimeoutError:
                    zygote.stop()
                    reason = "the fork server does not answer"
                except (OSError, EOFError) as error:
                    # The server may live on: then this one fork failed, and its sessions stay.
                    reason = remedy(f"{error} {zygote.log()}".strip())
            raise SandboxError(f"the sandbox cannot start a session: {reason}")

    async def close(self) -> None:
        """Ends the server, and every session with it."""
        async with self._lock:
            self.stop()

    def stop(self) -> None:
        """`close` where no event loop uses it any more."""
        if self._running is not None:
            self._running.stop()
        self._running = None

    def _settings(self) -> dict[str, object]:
        names = [field.name for field in dataclasses.fields(Settings)]
        return {
            "filter": base64.b64encode(compile_filter()).decode(),
            "limits": {name: getattr(self._limits, name) for name in names},
        }

    async def _current(self) -> Zygote:
        async with self._lock:
            if self._running is not None and self._running.alive():
                return self._running
            if self._running is not None:
                self._running.stop()
            zygote = self._running = Zygote(bubblewrap.command(), self._settings())
            self.starts += 1
            try:
                await zygote.ready()
            except BaseException:
                zygote.stop()
                raise
            return zygote


class Zygote:
    """One fork server process, in bubblewrap."""

    def __init__(self, command: list[str], settings: dict[str, object]) -> None:
        self._stopped = False
        self._namespace: int | None = None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        self._log = os.memfd_create("sandbox-log")
        with theirs:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[theirs.fileno()],
            )
            self._settings = json.dumps(settings | {"control": theirs.fileno()}).encode()

    async def ready(self) -> None:
        """Waits until the libraries are imported; raises SandboxError with reason and remedy."""
        assert self.process.stdin is not None
        try:
            with self.process.stdin as stdin:
                stdin.write(self._settings)
            async with asyncio.timeout(START_SECONDS):
                await readable(self._control)
            _, handles, _, _ = socket.recv_fds(self._control, 1, 1)
        except TimeoutError as error:
            raise SandboxError(
                f"the sandbox's fork server is not ready after {START_SECONDS:g} s: the machine is "
                f"overloaded, or its disk is; its last words: {self.log() or 'none'}"
            ) from error
        except OSError:
            handles = []
        if not handles:
            raise SandboxError(f"the sandbox cannot be isolated here: {remedy(self.log())}")
        (self._namespace,) = handles

    async def fork(self) -> tuple[Link, int]:
        """Asks for a session; raises OSError or EOFError when none comes."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                socket.send_fds(self._control, [b"+"], [theirs.fileno()])
            async with asyncio.timeout(FORK_SECONDS):
                await readable(ours)
            _, handles, _, _ = socket.recv_fds(ours, 1, 1)
            if not handles:
                raise EOFError("it ended before it began;")
        except BaseException:
            ours.close()
            raise
        return Link(ours), handles[0]

    def alive(self) -> bool:
        if self._stopped:
            return False
        try:
            return bool(self._control.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False  # it died with a request unread

    def log(self) -> str:
        """The end of what was said on stderr, by bubblewrap or by a fork that failed."""
        if self._stopped:
            return ""
        size = os.fstat(self._log).st_size
        return os.pread(self._log, 2000, max(0, size - 2000)).decode(errors="replace").strip()

    def stop(self) -> None:
        """Kills the server and every session of it; stopping twice is fine."""
        if self._stopped:
            return
        self._stopped = True
        self._control.close()
        if self._namespace is not None:
            # Killing the outer process alone would leave the inner ones to end by themselves.
            kill(self._namespace)
            os.close(self._namespace)
        self.process.kill()
        self.process.wait()
        os.close(self._log)
