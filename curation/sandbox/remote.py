"""Sessions on other machines: the interface of `Sandbox` over nodes of `toolsight sandbox serve`.

A session lives on one node to its end. When the node goes, the session is lost and says so in its
next result, as when its process dies on this machine; the next session opens on another node.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

import aiohttp

from curation.errors import SandboxError
from curation.sandbox.answers import most_bytes, read_cell, read_detail, read_session
from curation.sandbox.encode import check_header
from curation.sandbox.limits import Limits
from curation.sandbox.link import LieError
from curation.sandbox.nodes import Answer, DownError, Node, Nodes
from curation.sandbox.session import LOST, CellResult, lost, refusal

OPEN_SECONDS = 180.0
"""A node holds an opening up for at most its `--wait-seconds`, then it starts the session."""
SPARE_SECONDS = 90.0
"""What an answer may take beyond the cell's own time: waiting for a core, the way back."""
IDLE_SECONDS = 900.0
"""A node ends a session that is not used for so long: its rollout was killed."""
CLOSE_SECONDS = 10.0


class RemoteSandbox:
    """Isolated Python sessions on one or several nodes, each on the node with the fewest.

    Entering raises SandboxError when no node answers, a node refuses the token, or runs with
    limits that would make other observations than `limits`. A node that is down is left alone
    and asked again later; when none has answered for `patience` seconds, `open` raises
    SandboxError. A busy node is waited for.
    """

    def __init__(
        self,
        urls: Sequence[str],
        limits: Limits | None = None,
        *,
        token: str | None = None,
        patience: float = 120.0,
    ) -> None:
        self.limits = limits or Limits()
        self._urls = urls
        self._token = token
        self._patience = patience
        self._http: aiohttp.ClientSession | None = None
        self._nodes: Nodes | None = None
        self._open: set[RemoteSession] = set()

    @property
    def probes(self) -> dict[str, str]:
        """What the nodes' self-tests found, by node and property."""
        return self._nodes.probes if self._nodes else {}

    async def __aenter__(self) -> Self:
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers)
        self._nodes = Nodes(
            self._urls,
            self._http,
            self.limits,
            bound=most_bytes(self.limits),
            patience=self._patience,
        )
        try:
            await self._nodes.greet()
        except BaseException:
            await self._http.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends every session that is still open."""
        await asyncio.gather(*[session.close() for session in list(self._open)])
        if self._http is not None:
            await self._http.close()

    async def open(self, images: Sequence[bytes] = (), *, seed: int = 0) -> RemoteSession:
        """A session with the encoded images as `image_1`, `image_2`...; waits for a place.

        Raises ValueError for an image that is refused, and SandboxError when no node has
        answered for too long.
        """
        if self._nodes is None:
            raise RuntimeError("enter the RemoteSandbox before opening a session")
        for number, image in enumerate(images, 1):
            check_header(image, f"image {number}", self.limits.input_pixels)
        encoded = [base64.b64encode(image).decode() for image in images]
        body = {"images": encoded, "seed": seed, "idle_seconds": IDLE_SECONDS}
        while True:
            node = await self._nodes.pick()
            name = None
            try:
                answer = await self._nodes.ask(node, "POST", "/sessions", body, OPEN_SECONDS)
                name = self._opened(node, answer)
            except (DownError, LieError) as error:
                self._nodes.failed(node, str(error))
            finally:
                node.sessions -= name is None
            if name is not None:
                session = RemoteSession(self._nodes, node, name, self.limits, self._open.discard)
                self._open.add(session)
                return session

    def _opened(self, node: Node, answer: Answer) -> str | None:
        """The session's id, or None where the node is too busy to open one."""
        if answer.status == 201:
            return read_session(answer.body)
        if answer.status == 503:
            node.rest(answer.retry_after)
            return None
        if answer.status in (400, 413, 422):
            raise ValueError(read_detail(answer.body))
        raise DownError(f"{node.url} answered {answer.status}: {read_detail(answer.body)}")


class RemoteSession:
    """One rollout's interpreter, on a node."""

    def __init__(
        self,
        nodes: Nodes,
        node: Node,
        name: str,
        limits: Limits,
        release: Callable[[RemoteSession], None],
    ) -> None:
        self._nodes = nodes
        self._node = node
        self._path = f"/sessions/{name}"
        self._limits = limits
        self._release = release
        self._left = limits.session_seconds
        self._lost: str | None = None
        self._closed = False
        self._turn = asyncio.Lock()

    async def run(self, code: str, *, timeout: float | None = None) -> CellResult:
        """Runs a cell for at most `timeout` seconds; what goes wrong is told in the result."""
        async with self._turn:
            if self._lost is not None:
                return lost(self._lost)
            fault = refusal(code, self._limits)
            if fault:
                return fault
            allowed = self._limits.cell_seconds if timeout is None else timeout
            try:
                result = await self._ask(code, max(0.001, min(allowed, self._left)))
            except asyncio.CancelledError:
                # Nobody will hear what the cell did, which still runs.
                self._lost = "a cell was cancelled"
                raise
            except (DownError, LieError, SandboxError) as error:
                sent = "its node sent " if isinstance(error, LieError) else ""
                result = lost(f"{sent}{error}")
            self._left -= result.seconds
            if result.status == "timeout":
                self._lost = "a cell timed out"
            elif result.status == "lost":
                self._lost = result.stderr.removeprefix(LOST)
            return result

    async def close(self) -> None:
        """Ends the session; closing twice is fine. What a dead node held is gone anyway."""
        if self._closed:
            return
        self._closed = True
        self._lost = self._lost or "it was closed"
        self._node.sessions -= 1
        self._release(self)
        with contextlib.suppress(DownError, SandboxError):
            await self._nodes.ask(self._node, "DELETE", self._path, None, CLOSE_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, code: str, seconds: float) -> CellResult:
        """The node's result; waits while it is busy, which means that nothing was run."""
        body = {"code": code, "timeout": seconds}
        while True:
            started = time.perf_counter()
            answer = await self._nodes.ask(
                self._node, "POST", f"{self._path}/cells", body, seconds + SPARE_SECONDS
            )
            if answer.status == 200:
                result = read_cell(answer.body, self._limits)
                return replace(result, seconds=min(result.seconds, time.perf_counter() - started))
            if answer.status != 503:
                raise DownError(read_detail(answer.body))
            await asyncio.sleep(answer.retry_after)
