"""The sandbox: opens isolated sessions, as many as the machine can hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from curation.errors import SandboxError
from curation.sandbox import admission
from curation.sandbox.encode import check_images
from curation.sandbox.limits import Limits
from curation.sandbox.probes import probe
from curation.sandbox.server import ForkServer
from curation.sandbox.session import Session


class Sandbox:
    """Isolated Python sessions with the imaging libraries ready.

        async with Sandbox() as sandbox:
            session = await sandbox.open([encoded_image])
            result = await session.run("show(image_1.crop((0, 0, 100, 100)))")
            await session.close()

    What it keeps in: bubblewrap and a system-call filter keep code from the network, from files,
    from other processes and from other sessions. What it does not: it is no virtual machine, and
    a fault of the kernel is in reach. Entering raises SandboxError where isolation is not to be
    had; there is no weaker mode to fall back to.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        sessions: int | None = None,
        cells: int | None = None,
        server: ForkServer | None = None,
    ) -> None:
        """`sessions` may be open and `cells` may run at once; the machine decides by default.

        server: one with the same limits, which takes seconds to start and lives on after this
            sandbox; by default one that ends with it
        """
        self.limits = limits or Limits()
        self.probes: dict[str, str] = {}
        """What the self-test at the start found, by property."""
        self._server = server or ForkServer(self.limits)
        self._lent = server is not None
        self._places = asyncio.Semaphore(sessions or admission.sessions(self.limits.memory))
        self._cores = asyncio.Semaphore(cells or admission.cells())
        self._open: set[Session] = set()

    async def __aenter__(self) -> Sandbox:
        self._server.attach()
        try:
            self.probes = await probe(self)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def server_pid(self) -> int | None:
        """The process on the host that holds all sessions; None before the first one."""
        return self._server.pid

    @property
    def server_starts(self) -> int:
        """How often the fork server was started: one more than the times that it died."""
        return self._server.starts

    async def open(self, images: Sequence[bytes] = (), *, seed: int = 0) -> Session:
        """A session with the encoded images as `image_1`, `image_2`...; waits for a place.

        Raises ValueError for an image that cannot be decoded or is too large, and SandboxError
        when no session can be started. Every generator is seeded with `seed`. Tasks that hold a
        session while they open another can all wait for each other: open one session a task.
        """
        check_images(images, pixels=self.limits.input_pixels, size=self.limits.disk)
        try:
            return await self._begin(images, seed)
        except SandboxError:
            # The fork server may have died at this moment; a second failure is no accident.
            return await self._begin(images, seed)

    async def close(self) -> None:
        """Ends every session, and the fork server unless it was lent."""
        try:
            for session in list(self._open):
                await session.close()
        finally:
            if not self._lent:
                await self._server.close()

    async def _begin(self, images: Sequence[bytes], seed: int) -> Session:
        await self._places.acquire()
        try:
            link, handle = await self._server.fork()
        except BaseException:
            self._places.release()
            raise
        session = Session(link, handle, self.limits, self._cores, self._leave)
        self._open.add(session)
        try:
            await session.begin(images, seed)
        except BaseException:
            await session.close()
            raise
        return session

    def _leave(self, session: Session) -> None:
        self._open.discard(session)
        self._places.release()
