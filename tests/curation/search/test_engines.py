"""Every engine in its own layout over HTTP, and what comes of an engine that fails."""

from __future__ import annotations

import time
from typing import Any

import pytest
from aiohttp import web

from curation.errors import RecipeError, ServerError, ToolError
from curation.search.engines import ENGINES, Endpoint
from curation.search.found import Found, Result
from curation.search.web import Patience
from tests.curation.search.scripted_engine import (
    ANSWERS,
    NOTHING,
    Answer,
    Engine,
    failing,
    scripted,
)

DATES = {
    "searxng": "2024-05-01T00:00:00",
    "serper": "May 1, 2024",
    "serpapi": "May 1, 2024",
    "tavily": "Wed, 01 May 2024 00:00:00 GMT",
    "brave": "May 1, 2024",
}
REQUESTS: dict[str, dict[str, Any]] = {
    "searxng": {"path": "/search", "parameters": {"q": "coffee", "format": "json"}},
    "serper": {"path": "/search", "body": {"q": "coffee", "num": 2}, "X-API-KEY": "k3y"},
    "serpapi": {
        "path": "/search.json",
        "parameters": {"engine": "google", "q": "coffee", "num": "2", "api_key": "k3y"},
    },
    "tavily": {
        "path": "/search",
        "body": {"query": "coffee", "max_results": 2},
        "Authorization": "Bearer k3y",
    },
    "brave": {
        "path": "/res/v1/web/search",
        "parameters": {"q": "coffee", "count": "2", "text_decorations": "false"},
        "X-Subscription-Token": "k3y",
    },
}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "k3y")


async def ask(engine: Engine, name: str = "serpapi", results: int = 2, **patience: Any) -> Found:
    endpoint = Endpoint(name, engine.url, "TEST_KEY")
    return await endpoint.search("coffee", results, Patience(**({"backoff": 0} | patience)))


@pytest.mark.parametrize("name", ENGINES)
async def test_each_engine_is_asked_and_read_in_its_own_layout(name: str) -> None:
    async with scripted(ANSWERS[name]) as engine:
        found = await ask(engine, name)
    first, second = found.results
    assert (first.title, first.url) == (
        "Coffee - Wikipedia",
        "https://en.wikipedia.org/wiki/Coffee",
    )
    assert first.text.startswith("Coffee is a beverage brewed from ")
    assert "&quot;" not in first.text
    assert second == Result("What is Coffee?", "https://ncausa.example", "", DATES[name])
    (asked,) = engine.asked
    expected = dict(REQUESTS[name])
    assert asked.path == expected.pop("path")
    assert asked.method == ("POST" if "body" in expected else "GET")
    assert asked.body == expected.pop("body", None)
    assert asked.parameters == expected.pop("parameters", {})
    assert {header: asked.headers[header] for header in expected} == expected


@pytest.mark.parametrize("name", ENGINES)
async def test_no_results_are_an_answer_and_more_than_wanted_are_dropped(name: str) -> None:
    async with scripted(NOTHING[name], ANSWERS[name]) as engine:
        assert await ask(engine, name) == Found()
        assert len((await ask(engine, name, results=1)).results) == 1


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("answer", [{"message": "moved"}, {"results": [1], "organic": [1]}])
async def test_another_layout_is_told_to_the_model(name: str, answer: dict[str, Any]) -> None:
    async with scripted(answer) as engine:
        with pytest.raises(ToolError, match="the search engine answered with an unknown layout"):
            await ask(engine, name)


async def test_an_error_inside_a_good_answer_is_an_error() -> None:
    """SerpAPI's own layout of a search that failed."""
    answer = {"search_metadata": {"status": "Error"}, "error": "We couldn't get valid results."}
    async with scripted(answer) as engine:
        with pytest.raises(ToolError, match="We couldn't get valid results"):
            await ask(engine)


def cut_off() -> web.StreamResponse:
    return web.Response(body=b"{", headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("fault", [failing(429), failing(503), failing(500), failing(408), cut_off])
async def test_a_passing_fault_is_tried_again(fault: Answer) -> None:
    async with scripted(fault, ANSWERS["serpapi"]) as engine:
        assert len((await ask(engine)).results) == 2
        assert len(engine.asked) == 2


async def test_retry_after_is_waited_for() -> None:
    async with scripted(failing(429, **{"Retry-After": "0.3"}), ANSWERS["serpapi"]) as engine:
        started = time.monotonic()
        await ask(engine)
        assert time.monotonic() - started >= 0.3


async def test_tries_are_bounded_and_the_last_fault_is_told() -> None:
    async with scripted(failing(503, {"error": "overloaded"})) as engine:
        with pytest.raises(ToolError, match="failed 3 times, last with 503: overloaded"):
            await ask(engine, retries=2)
        assert len(engine.asked) == 3


async def test_silence_is_a_fault(unused_tcp_port: int) -> None:
    nobody = Engine(iter(()), f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(ToolError, match=r"last with no connection \(ClientConnectorError\)"):
        await ask(nobody, retries=0)


async def test_a_slow_engine_is_given_up() -> None:
    async with scripted({}, stalled=True) as engine:
        with pytest.raises(ToolError, match=r"last with no answer within 0\.05 s"):
            await ask(engine, retries=0, timeout=0.05)


async def test_an_answer_without_end_is_given_up() -> None:
    def endless() -> web.StreamResponse:
        return web.Response(body=b" " * (8 * 2**20 + 1))

    async with scripted(endless) as engine:
        with pytest.raises(ToolError, match="an answer of more than 8388608 bytes"):
            await ask(engine, retries=0)


@pytest.mark.parametrize("status", [401, 403, 432])
async def test_what_every_query_would_meet_ends_the_stage(status: int) -> None:
    async with scripted(failing(status, {"detail": "no such key"})) as engine:
        with pytest.raises(ServerError, match=f"refuses every query with {status}: no such key"):
            await ask(engine)
        assert len(engine.asked) == 1


async def test_a_refused_query_is_told_to_the_model() -> None:
    async with scripted(failing(422, {"error": "query too long"})) as engine:
        with pytest.raises(ToolError, match="refused the query with 422: query too long"):
            await ask(engine)


@pytest.mark.parametrize("status", [401, 500])
async def test_no_message_holds_the_key(status: int) -> None:
    async with scripted(failing(status, {"error": "no"})) as engine:
        with pytest.raises((ToolError, ServerError)) as told:
            await ask(engine, retries=0)
    assert "k3y" not in str(told.value)


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        (Endpoint("google"), "no search engine 'google': choose corpus, searxng, serper"),
        (Endpoint("searxng"), "searxng needs an address: set url"),
        (Endpoint("brave"), "BRAVE_API_KEY is not set: export it with the API key of brave"),
        (Endpoint("tavily", key_env="MY_KEY"), "MY_KEY is not set"),
    ],
)
def test_what_is_missing_is_found_beforehand(
    endpoint: Endpoint, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BRAVE_API_KEY", raising=False)
    with pytest.raises(RecipeError, match=sentence):
        endpoint.check()


def test_an_engine_with_its_key_is_ready() -> None:
    Endpoint("brave", key_env="TEST_KEY").check()
    Endpoint("searxng", "http://localhost:8080").check()
