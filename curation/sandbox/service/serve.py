"""The service's process: its address, its signals and its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn

from curation.errors import SandboxError
from curation.sandbox import admission
from curation.sandbox.limits import MIB, Limits
from curation.sandbox.sandbox import Sandbox
from curation.sandbox.service.app import make_app
from curation.sandbox.service.metrics import Meters
from curation.sandbox.service.sessions import Sessions
from curation.sandbox.service.settings import check_token
from curation.sandbox.service.trainer import TrainerSessions

KEEP_ALIVE = 75
"""Seconds; longer than clients keep idle connections, or they would send into closing ones."""
LOOK_SECONDS = 15.0
"""How often sessions that are not used are looked for."""


async def serve(
    limits: Limits,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    sessions: int | None = None,
    cells: int | None = None,
    wait_seconds: float = 30.0,
    idle_seconds: float = 3600.0,
    stop_seconds: float = 20.0,
    request_mib: int = 64,
) -> None:
    """Serves until SIGTERM or SIGINT; then running cells have `stop_seconds` to end.

    Raises:
        SandboxError: isolation is not to be had, the address is taken, or it is open to others
            and there is no token.
    """
    check_token(host, token)
    body = request_mib * MIB
    places = sessions or admission.sessions(limits.memory)
    cores = cells or admission.cells()
    # A trainer sends images inside its code; `TrainerSessions` bounds what else is in it.
    inner = replace(limits, code=max(limits.code, body))
    with listen(host, port) as listener:
        async with Sandbox(inner, sessions=places, cells=cores) as sandbox:
            meters = Meters()
            table = Sessions(
                sandbox,
                meters,
                places=places,
                cells=cores,
                wait_seconds=wait_seconds,
                idle_seconds=idle_seconds,
            )
            trainer = TrainerSessions(table, code=limits.code)
            app = make_app(table, trainer, meters, limits, token=token, body=body)
            config = uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,  # it would show tokens that stand in paths
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=max(1, round(stop_seconds)),
            )
            looking = asyncio.create_task(_expire(table, trainer, min(LOOK_SECONDS, idle_seconds)))
            where = f"http://{_literal(host)}:{listener.getsockname()[1]}"
            print(f"sandbox service at {where}: {places} sessions, {cores} cells", flush=True)
            try:
                await _Server(config, table).serve([listener])
            finally:
                looking.cancel()


class _Server(uvicorn.Server):
    """Stops in order: no new work, an end to what runs, and then the process goes on to its own."""

    def __init__(self, config: uvicorn.Config, sessions: Sessions) -> None:
        super().__init__(config)
        self._sessions = sessions

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, sends no signal again at the end, which would cut closing short."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._sessions.stop()
        await super().shutdown(sockets)


async def _expire(sessions: Sessions, trainer: TrainerSessions, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        with contextlib.suppress(SandboxError):  # a process that does not end; the rest goes on
            await sessions.expire()
        trainer.expire()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises SandboxError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise SandboxError(f"cannot listen at {_literal(host)}:{port}: {error}") from None


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host
