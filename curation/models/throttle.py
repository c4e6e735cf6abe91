"""How many requests may be in flight, adapted to what the server bears."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType


class Throttle:
    """A semaphore whose limit is halved on overload and grows back by one a round of successes.

    Additive increase, multiplicative decrease, as in TCP. Answers of one congested moment arrive
    together, so the limit is halved at most once in `window` seconds.
    """

    def __init__(
        self, most: int, *, window: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if most < 1:
            raise ValueError(f"at least one request must be allowed in flight, not {most}")
        self.limit = float(most)
        self._most = most
        self._window = window
        self._clock = clock
        self._halved_at = -float("inf")
        self._running = 0
        self._free = asyncio.Condition()

    async def __aenter__(self) -> None:
        async with self._free:
            await self._free.wait_for(lambda: self._running < int(self.limit))
            self._running += 1

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        async with self._free:
            self._running -= 1
            self._free.notify(max(1, int(self.limit) - self._running))

    def overloaded(self) -> None:
        """The server asked for less."""
        if self._clock() - self._halved_at >= self._window:
            self._halved_at = self._clock()
            self.limit = max(1.0, self.limit / 2)

    def succeeded(self) -> None:
        self.limit = min(float(self._most), self.limit + 1 / self.limit)
