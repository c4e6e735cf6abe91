"""The client of every model: policy, teacher and judge are OpenAI-compatible URLs.

It speaks HTTP through aiohttp itself and not through the openai package: on two cores, requests
of one attempt each (tool turns) were up to three times as fast. With eight attempts in one request
the two do not differ.
"""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from curation.errors import RequestError, ServerError
from curation.models.address import api_base
from curation.models.completion import Completion, Sampling
from curation.models.endpoints import Endpoint, Endpoints
from curation.models.exchange import exchange, list_models, metrics_page
from curation.models.messages import ImagePart, chat_messages
from curation.models.throttle import Throttle
from curation.models.usage import Usage
from curation.models.wire import Fault, read_answer, read_models, request_body
from schemas import Message

_LONGEST_WAIT = 60.0
"""Seconds; no server can ask for a longer pause."""
_DOUBLINGS = 4
"""The longest pause between two tries is 2**4 times the first: 8 s by default."""
_CONNECT_TIMEOUT = 10.0


def _always() -> None:
    """Permit every request."""


class ModelClient:
    """Async context manager over one or several URLs that serve the same model.

    Retried with exponential backoff and jitter: 5xx, 408, timeouts, dropped connections,
    malformed or empty answers and a wrong count of choices. A request that fails `retries` times
    more, and oftener than the servers' state explains, raises RequestError; so does a refusal
    (other 4xx) at once. A model that says nothing however often it is asked is taken at its word.

    A server that is overloaded (429, 503; Retry-After is honoured) or takes no connection is
    waited for without counting against the request: a rate limit or a restart costs time and no
    sample. A dead server is drained and asked now and then until it is back, see `Endpoints`; when
    nothing has succeeded for `patience` seconds, every request raises ServerError at once.
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
        tell: Callable[[str], None] = lambda sentence: None,
        follow: Callable[[ModelClient], AbstractAsyncContextManager[None]] | None = None,
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
        tell: is given a sentence when a server is drained, and when it is back
        follow: what is around everything that is asked through the client
        """
        self.model = model
        self.usage = Usage()
        self.permit: Callable[[], None] = _always
        """Called before every try of a request; raises CapReached when no more may be sent."""
        self._endpoints = Endpoints([api_base(url) for url in urls], patience=patience, tell=tell)
        self._throttle = Throttle(max_in_flight)
        self._timeout = timeout
        self._retries = retries
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._media_root = media_root
        self._stop_in_output = stop_in_output
        self._extra = dict(extra or {})
        self._backoff = backoff
        self._follow = follow
        self._session: aiohttp.ClientSession | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=0),
                    timeout=aiohttp.ClientTimeout(
                        total=self._timeout, sock_connect=_CONNECT_TIMEOUT
                    ),
                    headers=self._headers | {"Content-Type": "application/json"},
                )
            )
            self.model = self.model or (await self.served_models())[0]
            if self._follow is not None:
                await stack.enter_async_context(self._follow(self))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def served_models(self) -> list[str]:
        """Names that the first answering URL serves; ServerError when none answers."""
        return [str(entry["id"]) for entry in await self._listed()]

    async def context_length(self) -> int | None:
        """Tokens that prompt and reply may have together, as vLLM and SGLang tell; null where no
        server does."""
        try:
            entries = await self._listed()
        except ServerError:
            return None
        told = (each.get("max_model_len") for each in entries if each["id"] == self.model)
        return next((length for length in told if isinstance(length, int)), None)

    async def _listed(self) -> list[dict[str, Any]]:
        """The models of the first answering URL.

        Raises:
            ServerError: none answers: at once where nothing listens or the answer is no list, and
                after `retries` more tries where a server is only ill.
        """
        for tries in range(self._retries + 1):
            if tries:
                await asyncio.sleep(self._delay(tries))
            reasons, ill = [], False
            for endpoint in self._endpoints.all:
                try:
                    return read_models(*await list_models(self._open_session(), endpoint.url))
                except Fault as fault:
                    reasons.append(f"{endpoint.url}: {fault.reason}")
                    ill = ill or not fault.unreachable
                except ValueError as error:
                    reasons.append(f"{endpoint.url} {error}")
            if not ill:
                break
        raise ServerError(
            f"No model server answers ({'; '.join(reasons)}): start it, or correct the URL in "
            "the recipe."
        )

    async def metrics(self) -> dict[str, str]:
        """What the servers tell Prometheus, by URL; those that tell nothing are left out."""
        urls = [endpoint.url for endpoint in self._endpoints.all if not endpoint.drained]
        session = self._open_session()
        pages = await asyncio.gather(*(metrics_page(session, url) for url in urls))
        return {url: page for url, page in zip(urls, pages, strict=True) if page}

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

        Raises RequestError for this request, ServerError when all would fail and CapReached when
        `permit` allows no more.
        """
        if self.model is None:
            raise RuntimeError("enter the ModelClient before asking it for completions")
        async with self._throttle.place(share):
            # Built only now: encoded images of waiting requests would fill the memory.
            started = time.perf_counter()
            body = request_body(
                self.model,
                chat_messages(messages, images, media_root=self._media_root),
                sampling,
                stop_in_output=self._stop_in_output,
                extra=self._extra,
            )
            self.usage.encoding += time.perf_counter() - started
            try:
                completion = await self._insist(body, sampling.n, affinity)
            except RequestError:
                self.usage.failures += 1
                raise
        self.usage.add(completion)
        return completion

    async def _insist(self, body: bytes, n: int, affinity: str | None) -> Completion:
        """Ask until an answer comes or the request has failed too often."""
        strikes = 0
        while True:
            endpoint = await self._turn(affinity)
            self.permit()
            try:
                completion = await self._ask(endpoint, body, n)
            except Fault as fault:
                strikes += not fault.of_server
                if strikes == 1 and not fault.of_server:
                    self._endpoints.first_try(failed=True)
                if strikes > self._retries and not self._endpoints.explain(strikes):
                    return self._give_up(endpoint, fault, strikes)
                self.usage.retries += 1
                await self._back_off(endpoint, fault, strikes)
            else:
                if not strikes:
                    self._endpoints.first_try(failed=False)
                self._throttle.succeeded()
                return completion

    def _give_up(self, endpoint: Endpoint, fault: Fault, strikes: int) -> Completion:
        """Nothing, if that is all that the model ever says; else RequestError."""
        if fault.said is not None:
            return fault.said
        raise RequestError(
            f"{endpoint.url} failed {strikes} times, last with {fault.reason}"
        ) from fault

    async def _turn(self, affinity: str | None) -> Endpoint:
        """The endpoint to ask next, once one may be asked and, after a failure, is well again."""
        while True:
            self._endpoints.check()
            endpoint = self._endpoints.pick(affinity)
            wait = self._endpoints.rest_left(endpoint)
            if wait > 0:
                await asyncio.sleep(wait)
            elif not endpoint.drained or await self._is_back(endpoint):
                return endpoint

    async def _is_back(self, endpoint: Endpoint) -> bool:
        """Whether a drained server takes a request again: no sample is spent on a dead one."""
        endpoint.in_flight += 1
        try:
            await list_models(self._open_session(), endpoint.url)
        except Fault as fault:
            self._failed(endpoint, fault)
            self._endpoints.rest(endpoint, self._delay(endpoint.rests + 1, fault))
            return False
        finally:
            endpoint.in_flight -= 1
        return True

    async def _back_off(self, endpoint: Endpoint, fault: Fault, strikes: int) -> None:
        """Pause the server's traffic if the server is at fault, else only this request."""
        if fault.overloaded:
            self._throttle.overloaded()
        if fault.of_server or endpoint.drained:
            self._endpoints.rest(endpoint, self._delay(endpoint.rests + 1, fault))
        else:
            await asyncio.sleep(self._delay(strikes))

    def _delay(self, times: int, fault: Fault | None = None) -> float:
        """Seconds to wait: what the server asked for, else twice as long each time; with jitter,
        so that not all come back at once."""
        if fault is not None and fault.retry_after is not None:
            return min(fault.retry_after, _LONGEST_WAIT) * random.uniform(1, 1.1)
        doubled: float = self._backoff * 2 ** min(times - 1, _DOUBLINGS)
        return doubled * random.uniform(0.5, 1)

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
            with self.usage.flight():
                answer = await exchange(request, timeout=self._timeout)
            completion = read_answer(endpoint.url, *answer, n, time.perf_counter() - started)
        except Fault as fault:
            self._failed(endpoint, fault)
            raise
        except RequestError:  # A refusal is an answer too.
            self._endpoints.succeeded(endpoint)
            raise
        finally:
            endpoint.in_flight -= 1
        self._endpoints.succeeded(endpoint)
        return completion

    def _failed(self, endpoint: Endpoint, fault: Fault) -> None:
        self.usage.faults[fault.kind] += 1
        self._endpoints.failed(endpoint, fault.reason, unreachable=fault.unreachable)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("enter the ModelClient before using it")
        return self._session
