"""Which of several servers gets a request, and when to stop asking one, or all of them."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curation.errors import ServerError

_REMEMBERED = 65_536
"""Affinities kept; older ones are forgotten and placed anew."""
_POLL = 0.1
"""Seconds between two looks at a drained server whose probe is under way."""
_WORTH_TELLING = 2.0
"""Seconds; shorter outages are not told."""
_RECENT, _ENOUGH = 64, 8
"""Requests whose first try says how well the servers are, and how few say nothing."""
_CHANCE = 1e-6
_MOST_TRIES = 100


@dataclass(slots=True)
class Endpoint:
    """One server."""

    url: str
    in_flight: int = 0
    asked: int = 0
    """Requests so far; decides between servers that are equally loaded."""
    failures: int = 0
    """Since the last success."""
    rests: int = 0
    """Since the last success."""
    resting_until: float = 0.0
    """On the clock of its `Endpoints`; it is asked again after that."""
    drained_since: float | None = None
    """Null while it is well."""
    told: bool = False
    """Whether a person knows that it is drained."""

    @property
    def drained(self) -> bool:
        return self.drained_since is not None


class Endpoints:
    """Least loaded first, but what belongs together stays together while its server is well.

    The attempts and turns of one sample share a prompt and images: on one server they hit its
    prefix cache and its image cache.

    A server that takes no connection, or fails `tolerated` times in a row, is drained (circuit
    breaker): it gets nothing new, then one request at a time, each after a rest, and is back with
    the first success. When no server has answered for long enough, `check` gives all of them up.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        patience: float,
        tolerated: int = 10,
        tell: Callable[[str], None] = lambda sentence: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        patience: seconds without any success, over at least `tolerated` failures, after which
            `check` gives all servers up
        tell: is given a sentence when a server is drained for longer than a moment, and when it
            is back
        """
        if not urls:
            raise ValueError("a model needs at least one URL")
        self.all = [Endpoint(url) for url in urls]
        self._patience = patience
        self._tolerated = tolerated
        self._tell = tell
        self._clock = clock
        self._placed: OrderedDict[str, Endpoint] = OrderedDict()
        self._first_tries: deque[bool] = deque(maxlen=_RECENT)
        self._failures = 0
        self._failing_since: float | None = None
        self._last_reason = ""

    def check(self) -> None:
        """Raise ServerError once every server has been failing for too long."""
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
        """The server for the next request; it may have to wait for it, see `rest_left`."""
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
        """Seconds until the server may be asked; a drained one has one request at a time."""
        left = max(0.0, endpoint.resting_until - self._clock())
        return max(left, _POLL) if endpoint.drained and endpoint.in_flight else left

    def succeeded(self, endpoint: Endpoint) -> None:
        """The server answered: whatever it was, it is over."""
        if endpoint.told and endpoint.drained_since is not None:
            lasted = self._clock() - endpoint.drained_since
            self._tell(
                f"{endpoint.url} is back: it was drained for {lasted:.0f} s, with"
                f" {endpoint.failures} failures"
            )
        endpoint.drained_since, endpoint.told = None, False
        endpoint.failures = endpoint.rests = 0
        self._failures = 0
        self._failing_since = None

    def failed(self, endpoint: Endpoint, reason: str, *, unreachable: bool = False) -> None:
        """The server did not answer as it should."""
        endpoint.failures += 1
        self._failures += 1
        self._last_reason = reason
        if self._failing_since is None:
            self._failing_since = self._clock()
        if unreachable or endpoint.failures >= self._tolerated:
            self._drain(endpoint, reason)

    def _drain(self, endpoint: Endpoint, reason: str) -> None:
        if endpoint.drained_since is None:
            endpoint.drained_since = self._clock()
        lasting = self._clock() - endpoint.drained_since
        if not endpoint.told and lasting >= _WORTH_TELLING:
            endpoint.told = True
            self._tell(
                f"{endpoint.url} is drained after {endpoint.failures} failures in a row (last:"
                f" {reason}); it is asked now and then, and given up with all others"
                f" after {self._patience:g} s"
            )

    def rest(self, endpoint: Endpoint, seconds: float) -> None:
        """Ask the server nothing for a while: it is down, or said so."""
        endpoint.rests += endpoint.resting_until <= self._clock()
        endpoint.resting_until = max(endpoint.resting_until, self._clock() + seconds)

    def first_try(self, *, failed: bool) -> None:
        """How a request fared when it was first tried, overload aside."""
        self._first_tries.append(failed)

    def explain(self, failures: int) -> bool:
        """Whether the servers' own state explains that a request failed so often.

        Where a share p of the requests fails when first tried, a sound one fails k times with
        probability p to the k: what is less likely than one in a million is the request's fault.
        """
        if len(self._first_tries) < _ENOUGH or failures >= _MOST_TRIES:
            return False
        share = sum(self._first_tries) / len(self._first_tries)
        return bool(share**failures > _CHANCE)
