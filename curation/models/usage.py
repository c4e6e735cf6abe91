"""What a client's requests cost, counted while they are under way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from curation.models.completion import Completion


@dataclass(slots=True)
class Usage:
    """Running totals of a client; read at any moment, also while requests are out."""

    sent: int = 0
    """Tries that went out."""
    requests: int = 0
    """Answered requests."""
    retries: int = 0
    """Tries beyond the first of each request."""
    failures: int = 0
    """Requests that were given up."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    """Sum over answered requests; they overlap, so this is no wall time."""
    encoding: float = 0.0
    """Seconds in which bodies were built here: images read and encoded, JSON written."""
    faults: Counter[str] = field(default_factory=Counter)
    """Failed tries by kind, see `curation.models.wire.Fault`."""
    in_flight: int = 0
    """Tries under way."""
    clock: Callable[[], float] = time.perf_counter
    _busy: float = 0.0
    _since: float = 0.0

    def add(self, completion: Completion) -> None:
        self.requests += 1
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        self.seconds += completion.seconds

    @property
    def busy_seconds(self) -> float:
        """Seconds of wall time in which at least one request was with a server."""
        return self._busy + (self.clock() - self._since if self.in_flight else 0.0)

    @contextmanager
    def flight(self) -> Iterator[None]:
        """One try, from sending it to what comes of it."""
        if not self.in_flight:
            self._since = self.clock()
        self.sent += 1
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._busy += self.clock() - self._since
