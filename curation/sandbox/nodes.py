"""Sandbox nodes as HTTP servers: one request at a time, and which node is asked next."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from curation.errors import SandboxError
from curation.sandbox.answers import read_detail, read_health
from curation.sandbox.limits import Limits
from curation.sandbox.link import LieError

CONNECT_SECONDS = 10.0
LONGEST_REST = 30.0


class DownError(Exception):
    """A node gave no answer that can be used; its text says what happened instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A node's answer."""

    status: int
    body: bytes
    retry_after: float
    """Seconds that a busy node asks for."""


@dataclass(slots=True)
class Node:
    """One service."""

    url: str
    sessions: int = 0
    """Open ones of ours, or being opened."""
    opened: int = 0
    failures: int = 0
    """Since it last answered."""
    resting_until: float = 0.0
    """On the monotonic clock; it is asked for a session again after that."""
    known: bool = False
    """It has shown its self-test and its limits since it last failed."""

    def rest(self, seconds: float) -> None:
        self.resting_until = time.monotonic() + seconds

    def failed(self) -> None:
        """Leaves the node alone for a while, longer with every failure in a row."""
        self.known = False
        self.failures += 1
        self.rest(min(LONGEST_REST, 2.0 ** min(self.failures - 1, 10)))


class Nodes:
    """The nodes of a fleet and the connections to them."""

    def __init__(
        self,
        urls: Sequence[str],
        http: aiohttp.ClientSession,
        limits: Limits,
        *,
        bound: int,
        patience: float,
    ) -> None:
        """`bound`: bytes of the longest answer; `patience`: seconds without any node."""
        self.all = [Node(url.rstrip("/")) for url in urls]
        self.probes: dict[str, str] = {}
        self._http = http
        self._limits = limits
        self._bound = bound
        self._patience = patience
        self._answered = time.monotonic()
        self._reason = ""

    async def greet(self) -> None:
        """Asks every node who it is; raises SandboxError when none answers."""
        reasons = await asyncio.gather(*[self._greeting(node) for node in self.all])
        if all(reasons):
            raise SandboxError(
                f"no sandbox node answers ({'; '.join(reasons)}): start one with"
                " `toolsight sandbox serve`, or correct urls in the recipe"
            )

    async def pick(self) -> Node:
        """The node with the fewest sessions, once one may be asked; counts a session on it."""
        while True:
            now = time.monotonic()
            node = min(
                self.all, key=lambda n: (max(0, n.resting_until - now), n.sessions, n.opened)
            )
            if node.resting_until > now:
                self._check_patience(now)
                await asyncio.sleep(node.resting_until - now)
            elif node.known or not await self._greeting(node):
                node.sessions += 1
                node.opened += 1
                return node

    async def ask(
        self, node: Node, method: str, path: str, body: Mapping[str, Any] | None, seconds: float
    ) -> Answer:
        """One request; raises DownError without an answer, SandboxError where we may not ask."""
        # A file object is sent in chunks: long bytes would hold up the event loop.
        data = None if body is None else io.BytesIO(json.dumps(body).encode())
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._http.request(
                method, node.url + path, data=data, timeout=timeout, allow_redirects=False
            ) as response:
                answer = Answer(
                    response.status, await self._read(response), _retry_after(response.headers)
                )
        except TimeoutError:
            raise DownError(f"{node.url} did not answer in {seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise DownError(f"{node.url}: {error or type(error).__name__}") from None
        if answer.status in (401, 403):
            raise SandboxError(f"{node.url} refuses us: {read_detail(answer.body)}")
        self._answered = time.monotonic()
        return answer

    def failed(self, node: Node, reason: str) -> None:
        node.failed()
        self._reason = reason

    async def _greeting(self, node: Node) -> str:
        """Why the node cannot be used, or nothing; raises SandboxError for other limits."""
        try:
            answer = await self.ask(node, "GET", "/health", None, CONNECT_SECONDS)
            if answer.status != 200:
                raise DownError(f"{node.url} answered {answer.status}")
            probes, differences = read_health(answer.body, self._limits)
        except (DownError, LieError) as error:
            self.failed(node, str(error))
            return f"{node.url} sent {error}" if isinstance(error, LieError) else str(error)
        if differences:
            raise SandboxError(
                f"{node.url} runs with other limits than [sandbox] of the recipe:"
                f" {', '.join(differences)}; change the recipe, or start the node with --limit"
            )
        self.probes |= {f"{node.url} {name}": found for name, found in probes.items()}
        node.known, node.failures = True, 0
        return ""

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._bound:
                raise DownError(f"{response.url.origin()} sent more than {self._bound} bytes")
        return bytes(body)

    def _check_patience(self, now: float) -> None:
        if now - self._answered > self._patience:
            raise SandboxError(
                f"no sandbox node has answered for {now - self._answered:.0f} s (last:"
                f" {self._reason}): start one again, then run again; what is done is kept"
            )


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    return min(float(text), LONGEST_REST) if text.isdecimal() else 1.0
