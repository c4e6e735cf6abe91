"""The host's end of a session's socket: exact reads, and no trust in what comes."""

from __future__ import annotations

import asyncio
import socket

from curation.sandbox.jail import wire
from curation.sandbox.limits import Limits


class LieError(Exception):
    """A session sent something that no honest session sends."""


async def readable(descriptor: socket.socket | int) -> None:
    """Waits until the descriptor can be read, or has ended; one waiter a descriptor."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


class Link:
    """Frames to and from one session."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._connection, data)

    async def reply(self, limits: Limits) -> wire.Reply:
        """The next reply; raises LieError when it is out of bounds, EOFError at the end."""
        header = await self._read(wire.REPLY.size)
        has_result, *lengths, count = wire.REPLY.unpack(header)
        # UTF-8 takes up to four bytes a character; the marks of a cut need a few more.
        for length, bound in zip(
            lengths, (limits.text, limits.traceback, limits.text), strict=True
        ):
            if length > 4 * bound + 64:
                raise LieError(f"a text of {length} bytes")
        if count > limits.images:
            raise LieError(f"{count} images")
        sizes = [wire.SIZE.unpack(await self._read(wire.SIZE.size)) for _ in range(count)]
        if sum(width * height for width, height in sizes) > limits.pixels:
            raise LieError("more pixels than a cell may return")
        if not all(width and height for width, height in sizes):
            raise LieError("an image without pixels")
        stdout, stderr, result = [
            (await self._read(length)).decode("utf-8", "replace") for length in lengths
        ]
        images = tuple(
            [(width, height, await self._read(3 * width * height)) for width, height in sizes]
        )
        return wire.Reply(stdout, stderr, result if has_result else None, images)

    def check_silent(self) -> None:
        """Raises LieError if the session has said more than it was asked, or EOFError."""
        try:
            extra = self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        raise LieError("bytes that nobody asked for") if extra else EOFError

    def close(self) -> None:
        self._connection.close()

    async def _read(self, size: int) -> bytes:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            count = await self._loop.sock_recv_into(self._connection, view)
            if not count:
                raise EOFError
            view = view[count:]
        return bytes(data)
