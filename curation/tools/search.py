"""Text search and image search, as DeepEyesV2's environment offers them (`search`, `image_search`).

Keyword-only parameters are settings of the recipe. `check_search` and `check_image_search` take
the same ones and find what is missing before a model is asked anything.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping

from curation.errors import RecipeError, ToolError
from curation.search.corpus import open_corpus
from curation.search.engines import Endpoint
from curation.search.found import Found
from curation.search.images import open_cache, open_image_set
from curation.search.web import Patience
from curation.search.wording import image_results, plain, web_results
from curation.tools.base import ToolResult, Workspace

CORPUS = "corpus"
"""The engine that needs no network; the others are in `curation.search.engines`."""
LONGEST_QUERY = 400
"""Characters: what Brave and Tavily take."""


async def search(
    workspace: Workspace,
    query: str,
    *,
    engine: str = CORPUS,
    corpus: str = "",
    results: int = 5,
    characters: int = 4000,
    url: str = "",
    key_env: str = "",
    timeout: float = 20.0,
    retries: int = 3,
) -> ToolResult:
    """Search the web for text.

    engine: `corpus`, whose index lies in the folder `corpus`, or one of `curation.search.engines`
    corpus: folder of an index, which `toolsight search build` makes
    results: the most that are shown
    characters: of all passages together
    url, key_env: where the engine runs and the environment variable of its key, if not as usual
    timeout: seconds for one try of an engine
    retries: tries after the first

    Args:
        query: What to look for, in a few words.
    """
    query = _query(query)
    request: dict[str, object] = {"engine": engine, "query": query, "results": results}
    make: Callable[[], Awaitable[Found]]
    if engine == CORPUS:
        share = characters // results
        request |= {"corpus": corpus, "characters": share}
        make = functools.partial(_ask_corpus, corpus, query, results, share)
    else:
        request |= {"url": url}
        endpoint, patience = Endpoint(engine, url, key_env), Patience(timeout, retries)
        make = functools.partial(endpoint.search, query, results, patience)
    found = await _recall(workspace, "search", request, make)
    return ToolResult(web_results(query, found, characters))


async def image_search(
    workspace: Workspace,
    *,
    cache: str = "",
    cache_images: str = "",
    image_set: str = "",
    radius: int = 10,
    results: int = 5,
) -> ToolResult:
    """Search the web for pages that show the image of the question.

    cache: JSON file of results by data id; its image paths are relative to `cache_images`, by
        default to its own folder
    cache_images: folder in which they begin
    radius: the most bits of 64 in which two looks may differ
    results: the most that are shown
    image_set: file of images that are found by their look, within `radius` of 64 bits
    """
    look: Callable[[], Found]
    if cache:
        data_id = workspace.origin_id
        request: dict[str, object] = {"cache": cache, "data_id": data_id}
        look = functools.partial(_look_up, cache, cache_images, data_id, results)
    else:
        if not workspace.images:
            raise ToolError("this question has no image")
        image = workspace.images[0]
        digest = hashlib.sha256(image).hexdigest()
        request = {"image_set": image_set, "image": digest, "radius": radius}
        look = functools.partial(_look_alike, image_set, image, results, radius)
    request |= {"results": results}
    make = functools.partial(asyncio.to_thread, look)
    found = await _recall(workspace, "image_search", request, make)
    shown = tuple(each.image for each in found.results if each.image is not None)
    return ToolResult(image_results(found), shown)


def check_search(
    *,
    engine: str = CORPUS,
    corpus: str = "",
    results: int = 5,
    characters: int = 4000,
    url: str = "",
    key_env: str = "",
    timeout: float = 20.0,
    retries: int = 3,
) -> str:
    """A line on what `search` will ask.

    Raises:
        ToolsightError: an unknown engine, a missing key, no index, or a number out of range.
    """
    if min(results, characters, timeout) <= 0 or retries < 0:
        raise RecipeError("search: results, characters and timeout must be positive")
    if engine == CORPUS:
        if not corpus:
            raise RecipeError(
                'search: add corpus = "the folder of an index", which `toolsight search build`'
                " makes, or choose another engine"
            )
        return f"search: {open_corpus(corpus).card.documents:,} documents in {corpus}"
    endpoint = Endpoint(engine, url, key_env)
    endpoint.check()
    return f"search: {engine} at {endpoint.address}"


def check_image_search(
    *,
    cache: str = "",
    cache_images: str = "",
    image_set: str = "",
    radius: int = 10,
    results: int = 5,
) -> str:
    """A line on where `image_search` will look.

    Raises:
        ToolsightError: neither or both of cache and image set, one that cannot be read, or a
            number out of range.
    """
    if bool(cache) == bool(image_set):
        raise RecipeError("image_search: add exactly one of cache and image_set")
    if results <= 0 or not 0 <= radius <= 64:
        raise RecipeError("image_search: results must be positive and radius 0 to 64 bits")
    if cache:
        return f"image_search: {len(open_cache(cache, cache_images).entries):,} entries in {cache}"
    return f"image_search: {len(open_image_set(image_set).hashes):,} images in {image_set}"


async def _ask_corpus(corpus: str, query: str, results: int, characters: int) -> Found:
    return await asyncio.to_thread(open_corpus(corpus).search, query, results, characters)


def _look_up(cache: str, images: str, data_id: str, results: int) -> Found:
    return open_cache(cache, images).search(data_id, results)


def _look_alike(image_set: str, image: bytes, results: int, radius: int) -> Found:
    return open_image_set(image_set).search(image, results, radius)


async def _recall(
    workspace: Workspace,
    tool: str,
    request: Mapping[str, object],
    make: Callable[[], Awaitable[Found]],
) -> Found:
    """The recorded answer, or a new one; without a record always a new one."""
    if workspace.record is None:
        return await make()
    return await workspace.record.recall(tool, request, make)


def _query(query: str) -> str:
    """The query on one line, without what cannot be seen; its tags are words like any others."""
    if not isinstance(query, str):
        raise ToolError("the query must be text")
    if len(query) > LONGEST_QUERY:
        raise ToolError(
            f"a query has at most {LONGEST_QUERY} characters and this one has {len(query):,}: ask"
            " for less at once"
        )
    query = plain(query)
    if not query:
        raise ToolError("the query is empty: say what to look for")
    return query
