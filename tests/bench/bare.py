"""The client that the direct stage is compared with: a semaphore, a session and nothing else."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Request:
    """One question; everything that all requests share is in `Shared`."""

    system: str
    user: str
    """Text after the image."""
    image: Path
    """A PNG file."""
    seed: int


@dataclass(frozen=True, slots=True)
class Shared:
    """Where and how everything is asked; `fields` go into every body as they are."""

    url: str
    in_flight: int
    fields: dict[str, Any]


async def ask_all(requests: Sequence[Request], shared: Shared) -> list[list[str]]:
    """The texts of all replies; an answer that is no completion raises."""
    free = asyncio.Semaphore(shared.in_flight)
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)

    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def ask(request: Request) -> list[str]:
            async with free:
                posted = session.post(
                    f"{shared.url}/chat/completions", json=shared.fields | _asked(request)
                )
                async with posted as response:
                    answer = await response.json()
            return [choice["message"]["content"] for choice in answer["choices"]]

        return await asyncio.gather(*map(ask, requests))


def _asked(request: Request) -> dict[str, Any]:
    data = base64.b64encode(request.image.read_bytes()).decode()
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    parts = [picture, {"type": "text", "text": request.user}]
    return {
        "seed": request.seed,
        "messages": [
            {"role": "system", "content": request.system},
            {"role": "user", "content": parts},
        ],
    }
