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


def test_a_drained_server_gets_one_request_at_a_time_until_it_answers() -> None:
    clock, told = Clock(), list[str]()
    endpoints = Endpoints(["a", "b"], patience=60, tolerated=3, tell=told.append, clock=clock)
    ill, well = endpoints.all
    well.in_flight = 5
    for _ in range(3):
        endpoints.failed(ill, "500: boom")
    endpoints.rest(ill, 1)
    assert ill.drained and endpoints.pick("sample") is well
    clock.now = 1
    probed = endpoints.pick("other")
    assert probed is ill and endpoints.rest_left(ill) == 0
    ill.in_flight += 1
    assert endpoints.pick("third") is well
    clock.now = 4
    endpoints.failed(ill, "500: boom")
    endpoints.failed(ill, "500: boom")
    ill.in_flight -= 1
    assert told == [
        "a is drained after 4 failures in a row (last: 500: boom); it is asked now and then, and"
        " given up with all others after 60 s"
    ]
    clock.now = 9
    endpoints.succeeded(ill)
    assert not ill.drained and told[1] == "a is back: it was drained for 9 s, with 5 failures"


def test_no_connection_drains_at_once_and_a_short_outage_is_not_told() -> None:
    told = list[str]()
    endpoints = Endpoints(["a"], patience=60, tell=told.append, clock=Clock())
    (server,) = endpoints.all
    endpoints.failed(server, "no connection", unreachable=True)
    assert server.drained
    endpoints.succeeded(server)
    assert not server.drained and told == []


def test_the_servers_state_explains_what_a_sound_request_meets_too() -> None:
    endpoints = Endpoints(["a"], patience=60)
    for number in range(7):
        endpoints.first_try(failed=number % 2 == 0)
    assert not endpoints.explain(1)  # too few requests to know
    for number in range(57):
        endpoints.first_try(failed=number % 2 == 1)
    assert endpoints.explain(19) and not endpoints.explain(20)  # one half to the 20
    for _ in range(64):
        endpoints.first_try(failed=True)
    assert endpoints.explain(99) and not endpoints.explain(100)
