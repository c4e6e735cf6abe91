"""The door of the service: who may enter, and how much they may carry."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/token/"
BODIES = 16
"""Bodies of the largest size that are held at once, over all requests."""


class Guard:
    """Lets requests through that show the token and are small enough; others get one sentence."""

    def __init__(self, app: ASGIApp, *, token: str | None, body: int) -> None:
        """`token`: nobody needs one where it is None; `body`: bytes of the largest body."""
        self._app = app
        self._token = token
        self._body = body
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        fault = self._fault(scope, headers)
        if fault is not None:
            # Read to its end and thrown away: many clients hear no answer while they still send.
            while (await receive()).get("more_body"):
                pass
            await fault(scope, receive, send)
            return
        length = int(headers.get("content-length", "0"))
        self._held += length
        try:
            await self._app(self._mounted(scope), receive, send)
        finally:
            self._held -= length

    def _fault(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        if not self._known(scope, headers):
            return fault(401, "send the token: Authorization: Bearer TOKEN, or /token/TOKEN/...")
        if "transfer-encoding" in headers:
            return fault(411, "send the body with its Content-Length")
        length = int(headers.get("content-length", "0"))
        if length > self._body:
            return fault(413, f"the body has {length} bytes and {self._body} are allowed")
        if self._held + length > BODIES * self._body:
            return fault(503, "too many large requests at once: come again")
        return None

    def _known(self, scope: Scope, headers: Headers) -> bool:
        if self._token is None:
            return True
        shown = headers.get("authorization", "").removeprefix("Bearer ")
        if scope["path"].startswith(PREFIX):
            shown = scope["path"].removeprefix(PREFIX).partition("/")[0]
        return hmac.compare_digest(shown.encode(), self._token.encode())

    def _mounted(self, scope: Scope) -> Scope:
        """The routes lie below the token where it stands in the path."""
        if self._token is None or not scope["path"].startswith(PREFIX):
            return scope
        return {**scope, "root_path": PREFIX + self._token}


def fault(status: int, sentence: str) -> JSONResponse:
    """A refusal, with what a client needs to act on it."""
    headers = {503: {"Retry-After": "1"}, 401: {"WWW-Authenticate": "Bearer"}}.get(status)
    return JSONResponse({"detail": sentence}, status, headers)
