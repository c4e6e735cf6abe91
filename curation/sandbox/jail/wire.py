"""The frames between host and session: fixed headers, UTF-8 text and raw pixels.

    opening  host -> session   seed and image count, then each image's length and encoded bytes
    cell     host -> session   length, then the code
    reply    session -> host   header, then sizes of images, texts, pixels (3 bytes each, RGB)

Nothing is pickled and no format is parsed: a reply is integers that are checked against bounds
before a byte is read on their account. Text may hold lone surrogates on the way in (models write
them); the host replaces what is not UTF-8 on the way out.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass

OPENING = struct.Struct("!QB")
LENGTH = struct.Struct("!I")
REPLY = struct.Struct("!?IIIB")
"""Whether there is a result; bytes of stdout, stderr and result; images."""
SIZE = struct.Struct("!II")

Pixels = tuple[int, int, bytes]
"""Width, height and `3 * width * height` bytes, row by row."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a cell did; also the answer to the opening."""

    stdout: str = ""
    stderr: str = ""
    result: str | None = None
    images: tuple[Pixels, ...] = ()


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def pack_opening(seed: int, images: Sequence[bytes]) -> bytes:
    parts = [OPENING.pack(seed % 2**64, len(images))]
    for image in images:
        parts += LENGTH.pack(len(image)), image
    return b"".join(parts)


def pack_cell(code: str) -> bytes:
    body = encode(code)
    return LENGTH.pack(len(body)) + body


def pack_reply(reply: Reply) -> bytes:
    texts = [encode(text) for text in (reply.stdout, reply.stderr, reply.result or "")]
    return b"".join(
        [
            REPLY.pack(reply.result is not None, *map(len, texts), len(reply.images)),
            *(SIZE.pack(width, height) for width, height, _ in reply.images),
            *texts,
            *(pixels for *_, pixels in reply.images),
        ]
    )


def read_opening(descriptor: int) -> tuple[int, list[bytes]]:
    seed, count = OPENING.unpack(read_exactly(descriptor, OPENING.size))
    return seed, [_read_sized(descriptor) for _ in range(count)]


def read_cell(descriptor: int) -> str:
    return _read_sized(descriptor).decode("utf-8", "surrogatepass")


def read_exactly(descriptor: int, size: int) -> bytes:
    """Blocks; raises EOFError when the other side is gone.

    However many pieces the bytes come in, the same memory is asked for: what a cell can see of
    addresses does not depend on the moment.
    """
    data, done = bytearray(size), 0
    view = memoryview(data)
    while done < size:
        count = os.readv(descriptor, [view[done:]])
        if not count:
            raise EOFError
        done += count
    return bytes(data)


def write_all(descriptor: int, data: bytes) -> None:
    view, done = memoryview(data), 0
    while done < len(data):
        done += os.write(descriptor, view[done:])


def _read_sized(descriptor: int) -> bytes:
    (size,) = LENGTH.unpack(read_exactly(descriptor, LENGTH.size))
    return read_exactly(descriptor, size)
