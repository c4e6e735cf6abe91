"""The client of every model: policy, teacher and judge are OpenAI-compatible URLs.

It speaks HTTP through aiohttp itself and not through the openai package: on two cores, requests
of one attempt each (tool turns) were up to three times as fast. With eight attempts in one request
the two do not differ.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from curation.errors import RequestError, ServerError
from curation.models.completion import Completion, Sampling, Usage
from curation.models.endpoints import Endpoint, Endpoints
from curation.models.messages import ImagePart, chat_messages
from curation.models.throttle import Throttle
from curation.models.wire import Fault, read_answer, request_body
from schemas import Message

_LONGEST_WAIT = 60.0
"""Seconds; no server can ask for a longer pause."""
_LONGEST_BACKOFF = 8.0
_CONNECT_TIMEOUT = 10.0


def api_key_from(variable: str) -> str:
    """The key in an environment variable; recipes name the variable, never the key."""
    key = os.environ.get(variable, "")
    if not key:
        raise ServerError(
            f"The environment variable {variable}, named by api_key_env, is not set: export it "
            "with the API key of the model's server."
        )
    return key


class ModelClient:
    """Async context manager over one or several URLs that serve the same model.

    Retried with exponential backoff and jitter: 5xx, 408, timeouts, dropped connections,
    malformed answers and a wrong count of choices. A request that fails `retries` times more
    raises RequestError; so does a refusal (other 4xx) at once.

    A server that is overloaded (429, 503; Retry-After is honoured) or takes no connection is
    waited for without counting against the request: a rate limit or a restart costs time and no
    sample. When nothing has succeeded for `patience` seconds, every request raises ServerError
    at once.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        model: str | None = None,
        max_in_flight: int = 64,
        timeout: float = 120,
        retries: int = 5,
        api_key: str | None = None,
        media_root: Path | None = None,
        stop_in_output: bool = True,
        extra: Mapping[str, Any] | None = None,
        patience: float = 180,
        backoff: float = 0.5,
    ) -> None:
        """
        model: the name to ask for; None asks the server which one it serves
        max_in_flight: requests over all URLs, small ones by their share; shrinks for a while when
            a server says 429 or 503
        timeout: seconds for one try
        media_root: folder that the servers may read images from by path (our own servers)
        stop_in_output: ask for the stop string in the text, which only vLLM understands
        extra: further fields of the request body, such as top_k
        backoff: seconds before the first retry; doubles with each further one
        """
        self.model = model
        self.usage = Usage()
        self._endpoints = Endpoints([_base(url) for url in urls], patience=patience)
        self._throttle = Throttle(max_in_flight)
        self._timeout = timeout
        self._retries = retries
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._media_root = media_root
        self._stop_in_output = stop_in_output
        self._extra = dict(extra or {})
        self._backoff = backoff
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=_CONNECT_TIMEOUT),
            headers=self._headers | {"Content-Type": "application/json"},
        )
        try:
            self.model = self.model or (await self.served_models())[0]
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open_session().close()

    async def served_models(self) -> list[str]:
        """Names that the first answering URL serves; ServerError at once when none answers."""
        reasons = []
        for endpoint in self._endpoints.all:
            try:
                async with self._open_session().get(f"{endpoint.url}/models") as response:
                    data = await response.read()
                if response.status != 200:
                    reasons.append(f"{endpoint.url} answered {response.status}")
                elif names := [str(entry["id"]) for entry in json.loads(data)["data"]]:
                    return names
                else:
                    reasons.append(f"{endpoint.url} serves no model")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                reasons.append(f"{endpoint.url}: {error or type(error).__name__}")
            except (ValueError, KeyError, TypeError):
                reasons.append(f"{endpoint.url} lists no models")
        raise ServerError(
            f"No model server answers ({'; '.join(reasons)}): start it, or correct the URL in "
            "the recipe."
        )

    async def complete(
        self,
        messages: Sequence[Message],
        images: Sequence[ImagePart],
        sampling: Sampling,
        *,
        affinity: str | None = None,
        share: float = 1.0,
    ) -> Completion:
        """`sampling.n` replies to a conversation.

        images: in the order of the `<image>` placeholders; ValueError when the counts differ
        affinity: requests with the same one go to the same URL while that is healthy
        share: how much of a place in flight it takes, of more than 0 to 1

        Raises RequestError for this request and ServerError when all would fail.
        """
        if self.model is None:
            raise RuntimeError("enter the ModelClient before asking it for completions")
        async with self._throttle.place(share):
            # Built only now: encoded images of waiting requests would fill the memory.
            body = request_body(
                self.model,
                chat_messages(messages, images, media_root=self._media_root),
                sampling,
                stop_in_output=self._stop_in_output,
                extra=self._extra,
            )
            try:
                completion = await self._insist(body, sampling.n, affinity)
            except RequestError:
                self.usage.failures += 1
                raise
        self.usage.add(completion)
        return completion

    async def _insist(self, body: bytes, n: int, affinity: str | None) -> Completion:
        """Ask until an answer comes or the request has failed too often."""
        strikes = tries = 0
        while True:
            endpoint = await self._rested(affinity)
            try:
                completion = await self._ask(endpoint, body, n)
            except Fault as fault:
                tries += 1
                strikes += not fault.of_server
                self._endpoints.failed(endpoint, fault.reason)
                if strikes > self._retries:
                    raise RequestError(
                        f"{endpoint.url} failed {strikes} times, last with {fault.reason}"
                    ) from fault
                self.usage.retries += 1
                await self._back_off(endpoint, fault, tries)
            else:
                self._endpoints.succeeded(endpoint)
                self._throttle.succeeded()
                return completion

    async def _rested(self, affinity: str | None) -> Endpoint:
        """The endpoint to ask next, once one may be asked."""
        while True:
            self._endpoints.check()
            endpoint = self._endpoints.pick(affinity)
            wait = self._endpoints.rest_left(endpoint)
            if wait <= 0:
                return endpoint
            await asyncio.sleep(wait)

    async def _back_off(self, endpoint: Endpoint, fault: Fault, tries: int) -> None:
        """Pause the server's traffic if the server is at fault, else only this request."""
        doublings = (endpoint.failures if fault.unreachable else tries) - 1
        wait = min(_LONGEST_BACKOFF, self._backoff * 2 ** min(doublings, 10))
        wait *= random.uniform(0.5, 1)
        if fault.retry_after is not None:
            wait = max(wait, min(fault.retry_after, _LONGEST_WAIT))
        if fault.overloaded:
            self._throttle.overloaded()
        if fault.of_server:
            self._endpoints.rest(endpoint, wait)
        else:
            await asyncio.sleep(wait)

    async def _ask(self, endpoint: Endpoint, body: bytes, n: int) -> Completion:
        """One try. Raises Fault where another may help."""
        started = time.perf_counter()
        endpoint.in_flight += 1
        endpoint.asked += 1
        try:
            # A file object is sent in chunks: bytes beyond 1 MiB would hold up the event loop.
            request = self._open_session().post(
                f"{endpoint.url}/chat/completions", data=io.BytesIO(body)
            )
            async with request as response:
                status, headers, data = response.status, response.headers, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Fault(f"no connection ({error})", unreachable=True) from error
        except TimeoutError as error:
            raise Fault(f"no answer within {self._timeout:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Fault(f"a dropped connection ({error or type(error).__name__})") from error
        finally:
            endpoint.in_flight -= 1
        return read_answer(endpoint.url, status, headers, data, n, time.perf_counter() - started)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("enter the ModelClient before using it")
        return self._session


def _base(url: str) -> str:
    """The URL without a trailing slash and with the `/v1` that a bare host lacks."""
    url = url.rstrip("/")
    return url if "/" in url.partition("://")[2] else f"{url}/v1"
