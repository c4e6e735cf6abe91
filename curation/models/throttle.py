"""How many requests may be in flight, adapted to what the server bears."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_ROUNDING = 1e-6
"""Shares are fractions, whose sums are not exact."""


class Throttle:
    """A queue for places whose number is halved on overload and grows by one a round of successes.

    Additive increase, multiplicative decrease, as in TCP. Answers of one congested moment arrive
    together, so the limit is halved at most once in `window` seconds. A request may take less than
    a place, so that many small ones keep a server as busy as few large ones; who came first goes
    first, whatever its size.
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
        self._taken = 0.0
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def place(self, share: float = 1.0) -> AsyncIterator[None]:
        """Wait for a place, or for a share (0 < share <= 1) of one, and hold it."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((share, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # let in and cancelled at the same moment
                self._release(share)
            raise
        try:
            yield
        finally:
            self._release(share)

    def _admit(self) -> None:
        """Let in whoever is next for as long as there is room; who was cancelled has gone."""
        while self._waiting:
            share, turn = self._waiting[0]
            if not turn.cancelled():
                if self._taken + share > int(self.limit) + _ROUNDING:
                    return
                self._taken += share
                turn.set_result(None)
            self._waiting.popleft()

    def _release(self, share: float) -> None:
        self._taken -= share
        self._admit()

    def overloaded(self) -> None:
        """The server asked for less."""
        if self._clock() - self._halved_at >= self._window:
            self._halved_at = self._clock()
            self.limit = max(1.0, self.limit / 2)

    def succeeded(self) -> None:
        self.limit = min(float(self._most), self.limit + 1 / self.limit)
