"""Which of several servers gets a request, and when to stop asking any of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curation.errors import ServerError

_REMEMBERED = 65_536
"""Affinities kept; older ones are forgotten and placed anew."""


@dataclass(slots=True)
class Endpoint:
    """One server."""

    url: str
    in_flight: int = 0
    asked: int = 0
    """Requests so far; decides between servers that are equally loaded."""
    failures: int = 0
    """Since the last success."""
    resting_until: float = 0.0
    """On the clock of its `Endpoints`; it is asked again after that."""


class Endpoints:
    """Least loaded first, but what belongs together stays together while its server is well.

    The attempts and turns of one sample share a prompt and images: on one server they hit its
    prefix cache and its image cache.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        patience: float,
        tolerated: int = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience`: seconds without any success, over at least `tolerated` failures, after
        which `check` gives all servers up."""
        if not urls:
            raise ValueError("a model needs at least one URL")
        self.all = [Endpoint(url) for url in urls]
        self._patience = patience
        self._tolerated = tolerated
        self._clock = clock
        self._placed: OrderedDict[str, Endpoint] = OrderedDict()
        self._failures = 0
        self._failing_since: float | None = None
        self._last_reason = ""

    def check(self) -> None:
        """Raise ServerError once every server has been failing for too long (circuit breaker)."""
        since = self._failing_since
        if since is None or self._failures < self._tolerated:
            return
        lasting = self._clock() - since
        if lasting >= self._patience:
            raise ServerError(
                f"No model server has answered for {lasting:.0f} s ({self._failures} failures at "
                f"{', '.join(one.url for one in self.all)}; last: {self._last_reason}): look at "
                "the server's log, then start the run again; what is done is kept."
            )

    def pick(self, affinity: str | None) -> Endpoint:
        """The server for the next request; it may still rest, see `rest_left`."""
        placed = self._placed.get(affinity) if affinity is not None else None
        if placed is None or self.rest_left(placed) > 0:
            placed = min(self.all, key=lambda one: (self.rest_left(one), one.in_flight, one.asked))
        if affinity is not None:
            self._remember(affinity, placed)
        return placed

    def _remember(self, affinity: str, endpoint: Endpoint) -> None:
        self._placed[affinity] = endpoint
        self._placed.move_to_end(affinity)
        if len(self._placed) > _REMEMBERED:
            self._placed.popitem(last=False)

    def rest_left(self, endpoint: Endpoint) -> float:
        """Seconds until the server may be asked again."""
        return max(0.0, endpoint.resting_until - self._clock())

    def succeeded(self, endpoint: Endpoint) -> None:
        endpoint.failures = 0
        self._failures = 0
        self._failing_since = None

    def failed(self, endpoint: Endpoint, reason: str) -> None:
        endpoint.failures += 1
        self._failures += 1
        self._last_reason = reason
        if self._failing_since is None:
            self._failing_since = self._clock()

    def rest(self, endpoint: Endpoint, seconds: float) -> None:
        """Ask the server nothing for a while: it is down, or said so."""
        endpoint.resting_until = max(endpoint.resting_until, self._clock() + seconds)
