"""One request to a search engine over HTTP, with bounded retries."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from curation.errors import ServerError, ToolError
from curation.models.wire import Fault, retry_after, server_message

_LONGEST_WAIT = 60.0
"""Seconds; no engine can ask for a longer pause."""
_LARGEST_ANSWER = 8 * 2**20
_AGAIN = (408, 429)
# A wrong key or address, or an account that is used up (432 and 433 are Tavily's): every other
# request would fare the same.
_HOPELESS = (401, 402, 403, 404, 405, 432, 433)


@dataclass(frozen=True, slots=True)
class Query:
    """An engine's request. The URL takes part in messages, the rest may hold the key."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    """JSON of a POST; a GET without."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an engine is waited for."""

    timeout: float = 20.0
    """Seconds for one try."""
    retries: int = 3
    backoff: float = 0.5
    """Seconds before the first retry; doubles with each further one."""


async def fetch(query: Query, patience: Patience) -> Any:
    """The JSON of an engine's answer.

    Raises:
        ToolError: the engine refused this query, or failed more often than is borne.
        ServerError: it would refuse every query.
    """
    for tries in range(patience.retries + 1):
        try:
            return await _ask(query, patience)
        except Fault as fault:
            if tries == patience.retries:
                raise ToolError(
                    f"the search engine failed {tries + 1} times, last with {fault.reason}: try"
                    " again later"
                ) from None
            wait = patience.backoff * 2**tries * random.uniform(0.5, 1)
            await asyncio.sleep(max(wait, min(fault.retry_after or 0.0, _LONGEST_WAIT)))
    raise AssertionError("the last try returns or raises")


async def _ask(query: Query, patience: Patience) -> Any:
    """One try. Raises Fault where another may help."""
    timeout = aiohttp.ClientTimeout(total=patience.timeout)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=query.headers) as session,
            session.request(
                "GET" if query.body is None else "POST",
                query.url,
                params=query.parameters,
                json=query.body,
            ) as response,
        ):
            return _answer(query.url, response.status, response.headers, await _bytes(response))
    except TimeoutError:
        raise Fault(f"no answer within {patience.timeout:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        # Only the kind of the error: its text may hold the whole URL, and so the key.
        raise Fault(f"no connection ({type(error).__name__})") from None


async def _bytes(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > _LARGEST_ANSWER:
            raise Fault(f"an answer of more than {_LARGEST_ANSWER} bytes")
    return bytes(data)


def _answer(url: str, status: int, headers: Mapping[str, str], data: bytes) -> Any:
    reason = f"{status}: {server_message(data)}"
    if status in _AGAIN or status >= 500:
        raise Fault(reason, retry_after=retry_after(headers))
    if status in _HOPELESS:
        raise ServerError(
            f"The search engine at {url} refuses every query with {reason}: check its URL, its API"
            " key and the account's limits."
        )
    if status != 200:
        raise ToolError(f"the search engine refused the query with {reason}")
    try:
        return json.loads(data)
    except ValueError:
        raise Fault("an answer that is no JSON") from None
