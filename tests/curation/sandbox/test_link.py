"""The host's end of a session's socket believes nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from curation.sandbox import Limits
from curation.sandbox.jail import wire
from curation.sandbox.jail.wire import REPLY, SIZE, Reply
from curation.sandbox.link import LieError, Link

LIMITS = Limits(text=10, traceback=10, images=2, pixels=100)
PIXELS = bytes(range(12))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


Ends = tuple[socket.socket, socket.socket]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply(stdout="é\n", stderr="", result=""),
        Reply(stderr="Traceback", images=((2, 2, PIXELS), (1, 4, PIXELS))),
    ],
)
async def test_honest_reply_arrives_whole(ends: Ends, reply: Reply) -> None:
    ends[1].sendall(wire.pack_reply(reply))
    link = Link(ends[0])
    assert await link.reply(LIMITS) == reply
    link.check_silent()


async def test_text_that_is_no_utf8_is_replaced(ends: Ends) -> None:
    ends[1].sendall(wire.pack_reply(Reply(stdout="a\ud800")))
    reply = await Link(ends[0]).reply(LIMITS)
    assert reply.stdout == "a\ufffd\ufffd\ufffd"


@pytest.mark.parametrize(
    "data",
    [
        REPLY.pack(False, 105, 0, 0, 0),
        REPLY.pack(False, 0, 2**32 - 1, 0, 0),
        REPLY.pack(True, 0, 0, 105, 0),
        REPLY.pack(False, 0, 0, 0, 3),
        REPLY.pack(False, 0, 0, 0, 1) + SIZE.pack(11, 10),
        REPLY.pack(False, 0, 0, 0, 1) + SIZE.pack(2**32 - 1, 2**32 - 1),
        REPLY.pack(False, 0, 0, 0, 2) + SIZE.pack(10, 10) + SIZE.pack(1, 1),
        REPLY.pack(False, 0, 0, 0, 1) + SIZE.pack(0, 5),
    ],
)
async def test_reply_out_of_bounds_is_a_lie(ends: Ends, data: bytes) -> None:
    ends[1].sendall(data)
    with pytest.raises(LieError):
        await Link(ends[0]).reply(LIMITS)


@pytest.mark.parametrize(
    "sent", range(len(wire.pack_reply(Reply("out", images=((1, 4, PIXELS),)))))
)
async def test_reply_cut_anywhere_is_an_end(ends: Ends, sent: int) -> None:
    ends[1].sendall(wire.pack_reply(Reply("out", images=((1, 4, PIXELS),)))[:sent])
    ends[1].close()
    with pytest.raises(EOFError):
        await Link(ends[0]).reply(LIMITS)


async def test_bytes_after_a_reply_are_a_lie(ends: Ends) -> None:
    ends[1].sendall(wire.pack_reply(Reply()) + b"!")
    link = Link(ends[0])
    await link.reply(LIMITS)
    with pytest.raises(LieError):
        link.check_silent()


async def test_reply_in_many_pieces(ends: Ends) -> None:
    reply = Reply("out", "err", "result", ((2, 2, PIXELS),))
    link = Link(ends[0])
    reading = asyncio.create_task(link.reply(LIMITS))
    for byte in wire.pack_reply(reply):
        ends[1].send(bytes([byte]))
        await asyncio.sleep(0)
    assert await reading == reply


@pytest.mark.parametrize("code", ["", "x = 1", "é\ud800\x00"])
def test_code_passes_as_it_is(ends: Ends, code: str) -> None:
    wire.write_all(ends[1].fileno(), wire.pack_cell(code))
    ends[0].setblocking(True)
    assert wire.read_cell(ends[0].fileno()) == code


def test_opening_passes_as_it_is(ends: Ends) -> None:
    wire.write_all(ends[1].fileno(), wire.pack_opening(2**64 + 5, [b"one", b""]))
    ends[0].setblocking(True)
    assert wire.read_opening(ends[0].fileno()) == (5, [b"one", b""])
