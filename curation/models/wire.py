"""The chat completions API on the wire: the request body, and what an answer means."""

from __future__ import annotations

import email.utils
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from curation.errors import RequestError, ServerError
from curation.models.completion import Completion, Reply, Sampling

_OVERLOADED = (429, 503)
_TIMED_OUT = 408
# What no other request would fare better with: a wrong key, path or model name.
_HOPELESS = (401, 403, 404, 405)
_CUT_SHORT = ("abort", "error")


@dataclass(slots=True, eq=False)
class Fault(Exception):
    """A request that failed in a way that another try may mend."""

    reason: str
    retry_after: float | None = None
    """Seconds that the server asked for."""
    overloaded: bool = False
    """The server asked for less traffic."""
    unreachable: bool = False
    """No connection: the server is down."""

    @property
    def of_server(self) -> bool:
        """Whether the failure says nothing about the request."""
        return self.overloaded or self.unreachable


def request_body(
    model: str,
    messages: list[dict[str, Any]],
    sampling: Sampling,
    *,
    stop_in_output: bool,
    extra: Mapping[str, Any],
) -> bytes:
    """The JSON body; `extra` is for what only some servers understand and wins over the rest."""
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "n": sampling.n,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
    }
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = list(sampling.stop)
        if stop_in_output:
            body["include_stop_str_in_output"] = True
    return json.dumps(body | dict(extra)).encode()


def read_answer(
    url: str, status: int, headers: Mapping[str, str], data: bytes, n: int, seconds: float
) -> Completion:
    """The completion of an answer.

    Raises Fault where another try may help, RequestError where the request itself is refused and
    ServerError where every request would be.
    """
    if status == 200:
        return _completion(data, n, seconds)
    reason = f"{status}: {server_message(data)}"
    if status in _OVERLOADED:
        raise Fault(reason, retry_after(headers.get("Retry-After")), overloaded=True)
    if status >= 500 or status == _TIMED_OUT:
        raise Fault(reason)
    if status in _HOPELESS:
        raise ServerError(
            f"{url} refuses every request with {reason}: check the URL, the model name and the "
            "API key in the recipe."
        )
    raise RequestError(f"{url} refused the request with {reason}")


def _completion(data: bytes, n: int, seconds: float) -> Completion:
    try:
        answer = json.loads(data)
        replies = tuple(
            Reply(choice["message"]["content"] or "", choice["finish_reason"] or "unknown")
            for choice in sorted(answer["choices"], key=lambda choice: choice["index"])
        )
        usage = answer.get("usage") or {}
        tokens = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        shown = data[:80].decode(errors="replace")
        raise Fault(f"an answer that is no chat completion: {shown!r}") from error
    if len(replies) != n:
        raise Fault(f"{len(replies)} choices instead of {n}")
    if any(reply.finish_reason in _CUT_SHORT for reply in replies):
        raise Fault("a reply that the server did not finish")
    return Completion(replies, *tokens, seconds)


def server_message(data: bytes) -> str:
    """The server's own words, from the places where servers put them."""
    text = data.decode(errors="replace").strip()
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if isinstance(body, dict):
        found = body.get("error") or body.get("detail") or body.get("message") or text
        text = str(found.get("message", found) if isinstance(found, dict) else found)
    text = " ".join(text.split())
    return (text[:300] + " ...") if len(text) > 300 else text or "no message"


def retry_after(value: str | None) -> float | None:
    """Seconds from now; the header holds seconds or an HTTP date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
