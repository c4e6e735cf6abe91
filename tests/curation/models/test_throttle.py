"""The limit of requests in flight follows what the server bears."""

from __future__ import annotations

import asyncio

import pytest

from curation.models.throttle import Throttle


def test_overload_halves_once_a_window_and_success_grows_back() -> None:
    now = [0.0]
    throttle = Throttle(8, clock=lambda: now[0])
    for _ in range(5):
        throttle.overloaded()
    assert throttle.limit == 4
    now[0] = 1.0
    throttle.overloaded()
    assert throttle.limit == 2
    for _ in range(100):
        throttle.succeeded()
    assert throttle.limit == 8


async def test_a_lower_limit_holds_for_those_who_wait() -> None:
    throttle = Throttle(4, window=0)
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        async with throttle.place():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    throttle.overloaded()
    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 2


def test_nothing_in_flight_is_refused() -> None:
    with pytest.raises(ValueError, match="not 0"):
        Throttle(0)


async def test_small_requests_share_a_place_and_nobody_is_overtaken() -> None:
    throttle = Throttle(2)
    entered: list[float] = []
    leave = asyncio.Event()

    async def work(share: float) -> None:
        async with throttle.place(share):
            entered.append(share)
            await leave.wait()

    tasks = [asyncio.create_task(work(share)) for share in (0.125, 0.375, 0.5, 1.0, 1.0, 0.125)]
    await asyncio.sleep(0)
    assert entered == [0.125, 0.375, 0.5, 1.0]
    leave.set()
    await asyncio.gather(*tasks)
    assert entered[4:] == [1.0, 0.125]


async def test_a_place_is_not_lost_with_who_was_cancelled() -> None:
    throttle = Throttle(1)
    async with throttle.place():
        waiting = [asyncio.create_task(throttle.place().__aenter__()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    await asyncio.wait_for(waiting[1], 10)
