"""Web search engines: what each is asked, and where its answer holds what.

All of them are given by their published HTTP interfaces; results beyond the wanted number are
dropped here, for not every engine lets one say how many.
"""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from curation.errors import RecipeError, ToolError
from curation.models.wire import Fault
from curation.search.found import Found, Result
from curation.search.web import Patience, Query, fetch


@dataclass(frozen=True, slots=True)
class Engine:
    """One kind of engine."""

    url: str
    """Its public address; empty where everyone runs their own."""
    key_env: str
    """Environment variable of the API key; empty where none is needed."""
    query: Callable[[str, str, str, int], Query]
    """URL, key, words of the query and number of results to a request."""
    results: Callable[[Any], list[Result]]
    """Reads an answer; KeyError, TypeError, AttributeError or Fault for another layout."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine as a recipe sets it up; empty texts take the engine's own."""

    engine: str
    url: str = ""
    key_env: str = ""

    def check(self) -> None:
        """Raises RecipeError for an unknown engine, a missing URL or a missing key."""
        if self.engine not in ENGINES:
            raise RecipeError(
                f"there is no search engine {self.engine!r}: choose corpus, {', '.join(ENGINES)}"
            )
        if not self.address.startswith(("http://", "https://")):
            raise RecipeError(
                f"the search engine {self.engine} needs an address: set url to where it runs,"
                " such as http://localhost:8080"
            )
        if self.variable and not os.environ.get(self.variable):
            raise RecipeError(
                f"the environment variable {self.variable} is not set: export it with the API key"
                f" of {self.engine}, or name another one in key_env"
            )

    @property
    def address(self) -> str:
        return (self.url or ENGINES[self.engine].url).rstrip("/")

    @property
    def variable(self) -> str:
        return self.key_env or ENGINES[self.engine].key_env

    async def search(self, query: str, results: int, patience: Patience) -> Found:
        """Ask the engine.

        Raises:
            ToolError: it refused this query or did not answer.
            ServerError: it would refuse every query.
        """
        engine = ENGINES[self.engine]
        key = os.environ.get(self.variable, "") if self.variable else ""
        answer = await fetch(engine.query(self.address, key, query, results), patience)
        try:
            found = engine.results(answer)
        except (KeyError, TypeError, AttributeError, Fault) as error:
            reason = error.reason if isinstance(error, Fault) else "an unknown layout"
            raise ToolError(f"the search engine answered with {reason}") from None
        return Found(tuple(found[:results]))


def _searxng_query(url: str, key: str, query: str, results: int) -> Query:
    return Query(f"{url}/search", {"q": query, "format": "json"})


def _serper_query(url: str, key: str, query: str, results: int) -> Query:
    return Query(f"{url}/search", headers={"X-API-KEY": key}, body={"q": query, "num": results})


def _serpapi_query(url: str, key: str, query: str, results: int) -> Query:
    parameters = {"engine": "google", "q": query, "num": str(results), "api_key": key}
    return Query(f"{url}/search.json", parameters)


def _tavily_query(url: str, key: str, query: str, results: int) -> Query:
    headers = {"Authorization": f"Bearer {key}"}
    return Query(f"{url}/search", headers=headers, body={"query": query, "max_results": results})


def _brave_query(url: str, key: str, query: str, results: int) -> Query:
    parameters = {"q": query, "count": str(min(results, 20)), "text_decorations": "false"}
    headers = {"Accept": "application/json", "X-Subscription-Token": key}
    return Query(f"{url}/res/v1/web/search", parameters, headers)


def _searxng_results(answer: Any) -> list[Result]:
    return _read(answer["results"], "url", "content", "publishedDate")


def _serper_results(answer: Any) -> list[Result]:
    return _read(answer["organic"], "link", "snippet", "date")


def _serpapi_results(answer: Any) -> list[Result]:
    """Without results there is an `error`, also where the search itself went well."""
    if answer.get("search_metadata", {}).get("status") == "Error":
        raise Fault(f"an error: {answer.get('error')}")
    if "organic_results" not in answer and "error" not in answer:
        raise KeyError("organic_results")
    return _read(answer.get("organic_results", []), "link", "snippet", "date")


def _tavily_results(answer: Any) -> list[Result]:
    return _read(answer["results"], "url", "content", "published_date")


def _brave_results(answer: Any) -> list[Result]:
    """`web` is left out where nothing is found; texts are HTML."""
    if answer["type"] != "search":
        raise KeyError("type")
    return [
        Result(html.unescape(each.title), each.url, html.unescape(each.text), each.date)
        for each in _read(answer.get("web", {}).get("results", []), "url", "description", "age")
    ]


def _read(rows: list[Mapping[str, Any]], url: str, text: str, date: str) -> list[Result]:
    """Results by the names of their fields; all engines call the title so."""
    names = ("title", url, text, date)
    cells = ([str(row.get(name) or "") for name in names] for row in rows)
    return [Result(title, link, said, when) for title, link, said, when in cells]


ENGINES: dict[str, Engine] = {
    "searxng": Engine("", "", _searxng_query, _searxng_results),
    "serper": Engine("https://google.serper.dev", "SERPER_API_KEY", _serper_query, _serper_results),
    "serpapi": Engine("https://serpapi.com", "SERPAPI_API_KEY", _serpapi_query, _serpapi_results),
    "tavily": Engine("https://api.tavily.com", "TAVILY_API_KEY", _tavily_query, _tavily_results),
    "brave": Engine("https://api.search.brave.com", "BRAVE_API_KEY", _brave_query, _brave_results),
}
"""Every engine by the name that recipes use."""
