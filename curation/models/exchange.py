"""One request and its answer over HTTP; what goes wrong on the way is a `Fault`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp

from curation.models.wire import Fault, is_ill, server_message

_HEALTH_TIMEOUT = 10.0
_METRICS_TIMEOUT = 2.0


async def exchange(
    request: AbstractAsyncContextManager[aiohttp.ClientResponse], *, timeout: float
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body; Fault where no whole answer came.

    timeout: seconds that the request has, for the sentence about it
    """
    try:
        async with request as response:
            return response.status, response.headers, await response.read()
    except (
        aiohttp.ClientConnectorError,
        aiohttp.ConnectionTimeoutError,
        aiohttp.InvalidURL,
    ) as error:
        raise Fault(f"no connection ({error})", "unreachable") from error
    except TimeoutError as error:
        raise Fault(f"no answer within {timeout:g} s", "timeout") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Fault(f"a dropped connection ({error or type(error).__name__})", "dropped") from error


async def list_models(session: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
    """Status and body of a server's list of models, which is also how its health is asked for;
    Fault where it is ill."""
    limit = aiohttp.ClientTimeout(total=_HEALTH_TIMEOUT)
    request = session.get(f"{url}/models", timeout=limit)
    status, _, data = await exchange(request, timeout=_HEALTH_TIMEOUT)
    if is_ill(status):
        raise Fault(f"{status}: {server_message(data)}", "status")
    return status, data


async def metrics_page(session: aiohttp.ClientSession, url: str) -> str:
    """What a server tells Prometheus; empty where it has no such page or does not answer."""
    limit = aiohttp.ClientTimeout(total=_METRICS_TIMEOUT)
    request = session.get(f"{url.removesuffix('/v1')}/metrics", timeout=limit)
    try:
        status, _, data = await exchange(request, timeout=_METRICS_TIMEOUT)
    except Fault:
        return ""
    return data.decode(errors="replace") if status == 200 else ""
