"""The chat completions API on the wire: the request body, and what an answer means."""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curation.dialects.hermes import native, reply_text
from curation.errors import ContextError, RequestError, ServerError
from curation.models.completion import Completion, Reply, Sampling

_OVERLOADED = (429, 503)
_TIMED_OUT = 408
# What no other request would fare better with: a wrong key, path or model name.
_HOPELESS = (401, 403, 404, 405)
_CUT_SHORT = ("abort", "error")
# What reading an answer of any shape can raise; UnicodeError is a ValueError.
_UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
_TOO_LONG = re.compile(
    rb"context[ _]?(?:length|size|window)|maximum model length|prompt is too long", re.IGNORECASE
)
"""What servers say of a conversation without room for a reply: vLLM, SGLang, llama.cpp, OpenAI,
Anthropic and LiteLLM, each in words of its own."""


@dataclass(slots=True, eq=False)
class Fault(Exception):
    """A try that failed in a way that another one may mend."""

    reason: str
    kind: str = "answer"
    """overloaded (429, 503), unreachable, timeout, dropped, status (5xx, 408) or answer (200, but
    no chat completion that was asked for)."""
    retry_after: float | None = None
    """Seconds that the server asked for."""
    said: Completion | None = None
    """What the server said, if it may have meant it: nothing at all."""

    @property
    def overloaded(self) -> bool:
        """The server asked for less traffic."""
        return self.kind == "overloaded"

    @property
    def unreachable(self) -> bool:
        """No connection: the server is down."""
        return self.kind == "unreachable"

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
    tools: dict[str, Any] = {}
    if sampling.native:
        messages, offered = native(messages)
        tools = {"tools": offered, "parallel_tool_calls": False}
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        **tools,
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

    Raises Fault where another try may help, RequestError where the request itself is refused
    (ContextError for its length) and ServerError where every request would be.
    """
    if status == 200:
        return _completion(data, n, seconds)
    reason = f"{status}: {server_message(data)}"
    if status in _OVERLOADED:
        raise Fault(reason, "overloaded", retry_after(headers))
    if is_ill(status):
        raise Fault(reason, "status")
    if status in _HOPELESS:
        raise ServerError(
            f"{url} refuses every request with {reason}: check the URL, the model name and the "
            "API key in the recipe."
        )
    refusal = ContextError if _TOO_LONG.search(data) else RequestError
    raise refusal(f"{url} refused the request with {reason}")


def _completion(data: bytes, n: int, seconds: float) -> Completion:
    try:
        answer = json.loads(data)
        choices = sorted(answer["choices"], key=lambda choice: choice["index"])
        replies = tuple(_reply(choice) for choice in choices)
        usage = answer.get("usage") or {}
        tokens = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
    except _UNREADABLE as error:
        shown = data[:80].decode(errors="replace")
        raise Fault(f"an answer that is no chat completion: {shown!r}") from error
    if [choice["index"] for choice in choices] != list(range(n)):
        raise Fault(f"{len(replies)} choices instead of {n}")
    if any(reply.finish_reason in _CUT_SHORT for reply in replies):
        raise Fault("a reply that the server did not finish")
    completion = Completion(replies, *tokens, seconds)
    if all(_is_silent(choice["message"]) for choice in choices):
        raise Fault("an answer without a word", said=completion)
    return completion


def _reply(choice: dict[str, Any]) -> Reply:
    """One choice. UnicodeError for half a surrogate pair, which no table can hold."""
    text = reply_text(choice["message"])
    text.encode()
    return Reply(text, str(choice["finish_reason"] or "unknown"))


def _is_silent(message: Mapping[str, Any]) -> bool:
    """A message says something by text, by a call, or by thinking that the server cut off."""
    parts = ("content", "tool_calls", "reasoning", "reasoning_content")
    return not any(message.get(part) for part in parts)


def is_ill(status: int) -> bool:
    """Whether a status says that the server cannot do now what it could do later."""
    return status >= 500 or status in (*_OVERLOADED, _TIMED_OUT)


def read_models(status: int, data: bytes) -> list[dict[str, Any]]:
    """A server's list of models, each with its `id`; ValueError, worded, where there is none."""
    if status != 200:
        raise ValueError(f"answered {status}")
    try:
        entries = [entry for entry in json.loads(data)["data"] if entry["id"]]
    except _UNREADABLE:
        raise ValueError("lists no models") from None
    if not entries:
        raise ValueError("serves no model")
    return entries


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


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait; the header holds seconds or an HTTP date (RFC 9110, 10.2.3).

    A date is compared with the server's own `Date`, so that no clock has to be right; without one
    it says nothing.
    """
    value = headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when, now = (
            email.utils.parsedate_to_datetime(text) for text in (value, headers.get("Date", ""))
        )
        return max(0.0, (when - now).total_seconds())
    except (ValueError, TypeError):  # no dates, or one of them without a zone
        return None
