from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import numpy as np

from curation.estimates.rules import CountRule
from tests.scripted_server import ScriptedServer
from tests.simulator import Pool, ServiceTime, SimulatedPolicy, pass_rates, request


async def ask(url: str, bodies: list[dict[str, Any]]) -> list[list[str]]:
    """The replies to requests that are sent all at once."""
    async with aiohttp.ClientSession() as session:

        async def one(body: dict[str, Any]) -> list[str]:
            async with session.post(f"{url}/chat/completions", json=body) as response:
                choices = (await response.json())["choices"]
            return [choice["message"]["content"] for choice in choices]

        return await asyncio.gather(*map(one, bodies))


def test_pools_are_as_hard_as_they_say() -> None:
    means = {kind: pass_rates(kind, 20_000).mean() for kind in ("easy", "hard", "mixed")}
    for kind, expected in {"easy": 0.8, "hard": 0.2, "mixed": 0.5}.items():
        assert abs(means[kind] - expected) < 0.01


def test_attempts_are_the_same_however_they_are_drawn() -> None:
    pool = Pool({"direct": pass_rates("mixed", 500), "tools": pass_rates("easy", 500)})
    full, rule = pool.right("direct")[:, :8].sum(axis=1), CountRule(lowest=1, highest=7, n=8)
    verdicts = [rule.verdict(tally) for tally in pool.stopped("direct", rule)]
    assert verdicts == [1 <= right <= 7 for right in full]
    assert [t.right for t in pool.tallies("direct", 3)] == list(pool.right("direct")[:, :3].sum(1))
    assert not np.array_equal(pool.right("direct"), pool.right("tools"))


async def test_the_served_policy_follows_its_rates_attempt_by_attempt() -> None:
    policy = SimulatedPolicy({"direct": [0.0, 0.3, 1.0], "tools": [1.0, 1.0, 1.0]})
    with ScriptedServer(policy.reply) as server:
        bodies = [request(1, n=3, seed=5), request(1, n=1, seed=6), request(1, n=2000, seed=0)]
        three, one, many = await ask(server.url, bodies)
        never, always = await ask(server.url, [request(s, n=9, seed=0) for s in (0, 2)])
        (tools,) = await ask(server.url, [request(0, n=2, seed=0, stop=["</code>"])])
    assert one == three[1:2] and three == many[5:8]
    assert abs(many.count("<answer>right</answer>") / 2000 - 0.3) < 0.04
    assert set(never) == {"<answer>wrong</answer>"} and set(always) == {"<answer>right</answer>"}
    assert all("```python" in text for text in tools)


async def test_replies_wait_for_a_free_slot() -> None:
    policy = SimulatedPolicy({"direct": [0.5] * 4}, words=7)
    service = ServiceTime(slots=3, prompt_seconds=0.001, word_seconds=0.0001)
    with ScriptedServer(policy.reply, service=service.serve) as server:
        replies = await ask(server.url, [request(sample, n=4, seed=0) for sample in range(4)])
    assert [len(texts) for texts in replies] == [4] * 4
    assert service.most_running == 3
    assert abs(service.busy - 16 * (0.001 + 8 * 0.0001)) < 1e-9
