"""Placement, rest and the circuit breaker, on a clock that the test turns."""

from __future__ import annotations

import pytest

from curation.errors import ServerError
from curation.models.endpoints import Endpoints


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_least_loaded_server_is_picked() -> None:
    endpoints = Endpoints(["a", "b"], patience=60)
    endpoints.all[0].in_flight = 2
    assert endpoints.pick(None).url == "b"


def test_affinity_outlasts_load_but_not_illness() -> None:
    clock = Clock()
    endpoints = Endpoints(["a", "b"], patience=60, clock=clock)
    first = endpoints.pick("sample")
    first.in_flight = 9
    assert endpoints.pick("sample") is first
    endpoints.rest(first, 5)
    assert endpoints.pick("sample") is not first


def test_when_all_rest_the_soonest_is_picked() -> None:
    clock = Clock()
    endpoints = Endpoints(["a", "b"], patience=60, clock=clock)
    endpoints.rest(endpoints.all[0], 5)
    endpoints.rest(endpoints.all[1], 3)
    picked = endpoints.pick(None)
    assert (picked.url, endpoints.rest_left(picked)) == ("b", 3)
    clock.now = 4
    assert endpoints.rest_left(picked) == 0


def test_the_breaker_needs_failures_and_time_and_no_success() -> None:
    clock = Clock()
    endpoints = Endpoints(["a"], patience=60, tolerated=3, clock=clock)
    (server,) = endpoints.all
    for _ in range(5):
        endpoints.failed(server, "500: boom")
    endpoints.check()
    clock.now = 61
    endpoints.succeeded(server)
    endpoints.failed(server, "500: boom")
    endpoints.check()
    clock.now = 130
    endpoints.check()
    for _ in range(2):
        endpoints.failed(server, "500: boom")
    with pytest.raises(ServerError, match=r"for 69 s \(3 failures at a; last: 500: boom\)"):
        endpoints.check()
