"""A search engine on loopback that answers as the real ones do, and notes what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

ANSWERS: dict[str, dict[str, Any]] = {
    "searxng": {
        "query": "coffee",
        "number_of_results": 0,
        "results": [
            {
                "url": "https://en.wikipedia.org/wiki/Coffee",
                "title": "Coffee - Wikipedia",
                "content": "Coffee is a beverage brewed from roasted beans.",
                "publishedDate": None,
                "engine": "google",
                "engines": ["google", "bing"],
                "positions": [1, 2],
                "score": 4.0,
                "category": "general",
            },
            {
                "url": "https://ncausa.example",
                "title": "What is Coffee?",
                "content": "",
                "publishedDate": "2024-05-01T00:00:00",
                "engine": "bing",
            },
        ],
        "answers": [],
        "corrections": [],
        "infoboxes": [],
        "suggestions": [],
        "unresponsive_engines": [["qwant", "timeout"]],
    },
    "serper": {
        "searchParameters": {"q": "coffee", "type": "search", "engine": "google", "num": 2},
        "knowledgeGraph": {"title": "Coffee", "type": "Beverage"},
        "organic": [
            {
                "title": "Coffee - Wikipedia",
                "link": "https://en.wikipedia.org/wiki/Coffee",
                "snippet": "Coffee is a beverage brewed from roasted beans.",
                "sitelinks": [{"title": "History", "link": "https://en.wikipedia.org/wiki/H"}],
                "position": 1,
            },
            {
                "title": "What is Coffee?",
                "link": "https://ncausa.example",
                "snippet": "",
                "date": "May 1, 2024",
                "position": 2,
            },
        ],
        "credits": 1,
    },
    "serpapi": {
        "search_metadata": {"id": "64c3", "status": "Success"},
        "search_parameters": {"engine": "google", "q": "coffee"},
        "search_information": {"organic_results_state": "Results for exact spelling"},
        "organic_results": [
            {
                "position": 1,
                "title": "Coffee - Wikipedia",
                "link": "https://en.wikipedia.org/wiki/Coffee",
                "displayed_link": "https://en.wikipedia.org › wiki › Coffee",
                "snippet": "Coffee is a beverage brewed from roasted beans.",
                "snippet_highlighted_words": ["Coffee"],
            },
            {
                "position": 2,
                "title": "What is Coffee?",
                "link": "https://ncausa.example",
                "date": "May 1, 2024",
            },
        ],
    },
    "tavily": {
        "query": "coffee",
        "follow_up_questions": None,
        "answer": None,
        "images": [],
        "results": [
            {
                "title": "Coffee - Wikipedia",
                "url": "https://en.wikipedia.org/wiki/Coffee",
                "content": "Coffee is a beverage brewed from roasted beans.",
                "score": 0.91,
                "raw_content": None,
            },
            {
                "title": "What is Coffee?",
                "url": "https://ncausa.example",
                "content": "",
                "score": 0.8,
                "published_date": "Wed, 01 May 2024 00:00:00 GMT",
            },
        ],
        "response_time": 1.09,
    },
    "brave": {
        "type": "search",
        "query": {"original": "coffee", "more_results_available": True},
        "mixed": {"type": "mixed", "main": [{"type": "web", "index": 0, "all": False}]},
        "web": {
            "type": "search",
            "results": [
                {
                    "title": "Coffee - Wikipedia",
                    "url": "https://en.wikipedia.org/wiki/Coffee",
                    "is_source_local": False,
                    "description": "Coffee is a beverage brewed from &quot;roasted&quot; beans.",
                    "profile": {"name": "Wikipedia"},
                },
                {
                    "title": "What is Coffee?",
                    "url": "https://ncausa.example",
                    "description": "",
                    "page_age": "2024-05-01T00:00:00",
                    "age": "May 1, 2024",
                },
            ],
            "family_friendly": True,
        },
    },
}
"""What each engine answers to `coffee`, in its own layout."""

NOTHING: dict[str, dict[str, Any]] = {
    "searxng": {"query": "x", "number_of_results": 0, "results": [], "unresponsive_engines": []},
    "serper": {"searchParameters": {"q": "x"}, "organic": [], "credits": 1},
    "serpapi": {
        "search_metadata": {"status": "Success"},
        "search_information": {"organic_results_state": "Fully empty"},
        "error": "Google hasn't returned any results for this query.",
    },
    "tavily": {"query": "x", "answer": None, "images": [], "results": [], "response_time": 0.4},
    "brave": {"type": "search", "query": {"original": "x"}, "mixed": {"type": "mixed"}},
}
"""What each answers where it finds nothing."""

Answer = dict[str, Any] | Callable[[], web.StreamResponse]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that arrived."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class Engine:
    """Gives its answers in turn, the last one for ever."""

    answers: Iterator[Answer]
    url: str = ""
    stalled: bool = False
    """Never answers."""
    asked: list[Asked] = field(default_factory=list)
    _last: Answer = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.asked.append(
            Asked(request.method, request.path, dict(request.query), dict(request.headers), body)
        )
        if self.stalled:
            await asyncio.Event().wait()
        self._last = next(self.answers, self._last)
        return web.json_response(self._last) if isinstance(self._last, dict) else self._last()


@asynccontextmanager
async def scripted(*answers: Answer, stalled: bool = False) -> AsyncIterator[Engine]:
    engine = Engine(iter(answers), stalled=stalled)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", engine.handle)
    async with TestServer(app) as server:
        engine.url = str(server.make_url("/"))
        yield engine


def failing(status: int, body: Any = None, **headers: str) -> Callable[[], web.StreamResponse]:
    return lambda: web.json_response(body, status=status, headers=headers)
