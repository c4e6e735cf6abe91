"""Requests a second of the client and of the openai package's, where every turn is a request."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from curation.dialects import get_dialect
from curation.models import ModelClient, Sampling
from curation.models.environment import environment_python, serve_environment
from tests.bench import world
from tests.bench.figure import Figure
from tests.curation.scene import picture

BAR = 1.0
IN_FLIGHT = 32
_SIDE = 256
"""Pixels; noise of that size is a PNG of 200 kB, more than most crops."""
_SAMPLING = Sampling(max_tokens=64, stop=("</answer>",))

OPENAI = """
import asyncio, json, sys, time
from openai import AsyncOpenAI

async def main(url, count, in_flight, request):
    free = asyncio.Semaphore(in_flight)
    async with AsyncOpenAI(base_url=url, api_key="none", timeout=120) as client:
        async def ask(seed):
            async with free:
                await client.chat.completions.create(
                    model="scripted", seed=seed, extra_body=extra, **request
                )
        await ask(0)
        started = time.perf_counter()
        await asyncio.gather(*map(ask, range(count)))
        print(count / (time.perf_counter() - started))

url, count, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
request = json.load(sys.stdin)
extra = {"include_stop_str_in_output": request.pop("include_stop_str_in_output")}
asyncio.run(main(url, count, in_flight, request))
"""
"""The package lies in the environment of the server, since nothing here needs it."""


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the figures are stated for."""
    command.add_argument("--requests", type=int, default=500, help="requests a round (500)")
    command.add_argument("--rounds", type=int, default=5, help="pairs of measurements (5)")


def measure(*, requests: int, rounds: int) -> Iterator[Figure]:
    """Both ask the same server, one after the other."""
    ratios = []
    with TemporaryDirectory() as folder, world.serving() as url:
        image = Path(folder) / "image.png"
        image.write_bytes(picture(1, side=_SIDE))
        for number in range(1, rounds + 1):
            ours = asyncio.run(_ours(url, image, requests))
            theirs = _theirs(url, image, requests)
            print(f"client: round {number}: ours {ours:.0f}/s, openai {theirs:.0f}/s", flush=True)
            ratios.append(ours / theirs)
    yield Figure("client: requests a second over openai's", statistics.median(ratios), BAR)


async def _ours(url: str, image: Path, requests: int) -> float:
    prompt = get_dialect("direct").opening("What is 3 plus 1?", 1)
    async with ModelClient([url], max_in_flight=IN_FLIGHT) as client:

        async def ask() -> None:
            await client.complete(prompt, [image], _SAMPLING)

        await ask()
        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(requests)))
        return requests / (time.perf_counter() - started)


def _theirs(url: str, image: Path, requests: int) -> float:
    command = [environment_python(serve_environment()), "-c", OPENAI, url]
    command += [str(requests), str(IN_FLIGHT)]
    body = json.dumps(_request(image))
    done = subprocess.run(command, input=body, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the openai package's client failed:\n{done.stderr}")
    return float(done.stdout)


def _request(image: Path) -> dict[str, object]:
    """What our client sends, without model and seed."""
    system, user = get_dialect("direct").opening("What is 3 plus 1?", 1)
    data = base64.b64encode(image.read_bytes()).decode()
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    parts = [picture, {"type": "text", "text": user.content.removeprefix("<image>")}]
    return {
        "messages": [
            {"role": "system", "content": system.content},
            {"role": "user", "content": parts},
        ],
        "n": 1,
        "temperature": _SAMPLING.temperature,
        "top_p": _SAMPLING.top_p,
        "max_tokens": _SAMPLING.max_tokens,
        "stop": list(_SAMPLING.stop),
        "include_stop_str_in_output": True,
    }
