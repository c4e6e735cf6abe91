"""An OpenAI-compatible chat server on loopback whose replies are a function of the request.

    with ScriptedServer(lambda request: ["<answer>4</answer>"] * request["n"]) as server:
        ...  # server.url, server.requests

It runs in a thread of its own, so that synchronous tests, asynchronous tests and child processes
can all use it. What the function returns decides what the client sees: texts become choices (as
many as there are, so a wrong count is told by returning too few), a `Fault` becomes that fault.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlparse

from aiohttp import web

Request = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong instead of an answer; exactly one of the fields is meant to be set."""

    status: int = 0
    """An HTTP error, with `message` and perhaps `retry_after` (seconds)."""
    message: str = "scripted fault"
    retry_after: float | None = None
    cut: bool = False
    """The connection is dropped in the middle of the answer."""
    stall: bool = False
    """Nothing comes until the client goes away."""
    body: str | None = None
    """These bytes with status 200, whatever they are."""


Text = str | tuple[str, str] | dict[str, Any]
"""A reply, a reply with its finish reason, or a message that has more than text, as it is."""
ReplyFunction = Callable[[Request], Sequence[Text] | Fault]
Service = Callable[[Request, Sequence[Text]], Awaitable[None]]
"""Waits as long as a server would work on these replies."""


def echo(request: Request) -> list[str]:
    """The default script: every attempt is an answer that names its number."""
    return [f"<answer>{index}</answer>" for index in range(request.get("n", 1))]


def text_of(request: Request) -> str:
    """All text of a request, turn by turn."""
    turns = []
    for message in request["messages"]:
        content = message["content"]
        parts = content if isinstance(content, list) else [{"text": content}]
        turns.append("".join(part.get("text") or "" for part in parts))
    return "\n".join(turns)


def images_of(request: Request) -> list[bytes]:
    """The bytes of a request's images in order, from data: and file: URLs."""
    images = []
    for message in request["messages"]:
        content = message["content"]
        for part in content if isinstance(content, list) else []:
            if part["type"] == "image_url":
                images.append(_image_bytes(part["image_url"]["url"]))
    return images


def _image_bytes(url: str) -> bytes:
    if url.startswith("file:"):
        return Path(unquote(urlparse(url).path)).read_bytes()
    return base64.b64decode(url.partition(",")[2])


class ScriptedServer:
    """Context manager; `reply` is called in the server's thread, one request after the other."""

    def __init__(
        self,
        reply: ReplyFunction = echo,
        *,
        model: str = "scripted",
        port: int = 0,
        record: bool = True,
        service: Service | None = None,
        max_model_len: int | None = None,
        prompt_tokens: Callable[[Request], int] = lambda request: 10,
    ) -> None:
        """`record=False` keeps no requests, for runs of a hundred thousand; `max_model_len` is
        only said, as vLLM says it, and `prompt_tokens` is what the usage says of a request."""
        self.reply = reply
        self.service = service
        self.count = 0
        """Chat requests that arrived."""
        self.requests: list[Request] = []
        self.headers: list[dict[str, str]] = []
        self.ill = 0
        """How often the list of models is refused with 503 from now on."""
        self.metrics = ""
        """The page for Prometheus; there is none while it is empty."""
        self.listed = 0
        """Times that the list of models was asked for."""
        self.most_in_flight = 0
        self._in_flight = 0
        self._model = model
        self._max_model_len = max_model_len
        self._prompt_tokens = prompt_tokens
        self._port = port
        self._record = record
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=self.metrics, status=200 if self.metrics else 404)

    async def _models(self, request: web.Request) -> web.Response:
        self.listed += 1
        if self.ill:
            self.ill -= 1
            return web.Response(status=503)
        entry = {"id": self._model, "max_model_len": self._max_model_len}
        return web.json_response({"object": "list", "data": [entry]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.count += 1
        if self._record:
            self.requests.append(body)
            self.headers.append(dict(request.headers))
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            # Lets the other requests that have arrived be counted as in flight.
            await asyncio.sleep(0)
            outcome = self.reply(body)
            if isinstance(outcome, Fault):
                return await _fail(request, outcome)
            if self.service is not None:
                await self.service(body, outcome)
            tokens = self._prompt_tokens(body)
            return web.json_response(completion(self._model, outcome, tokens))
        finally:
            self._in_flight -= 1


async def _fail(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.stall:
        await asyncio.Event().wait()
    if fault.cut:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"choices": [')
        assert request.transport is not None
        request.transport.close()
        return response
    if fault.body is not None:
        return web.Response(text=fault.body, content_type="application/json")
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return web.json_response(
        {"error": {"message": fault.message}}, status=fault.status, headers=headers
    )


def completion(model: str, texts: Sequence[Text], prompt_tokens: int = 10) -> dict[str, Any]:
    """The body of an answer with these replies."""
    choices = []
    for index, text in enumerate(texts):
        if isinstance(text, dict):
            message, reason = {"role": "assistant", "content": None} | text, "tool_calls"
        else:
            content, reason = (text, "stop") if isinstance(text, str) else text
            message = {"role": "assistant", "content": content}
        choices.append({"index": index, "message": message, "finish_reason": reason})
    words = sum(len(str(choice["message"]["content"]).split()) for choice in choices)
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": words}
    return {"object": "chat.completion", "model": model, "choices": choices, "usage": usage}
