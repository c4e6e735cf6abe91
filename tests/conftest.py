"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from curation.models import ManagedServer, embedded_model
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from tests.notebooks.world import recipe_text, reply
from tests.scripted_server import ScriptedServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What one worker of `pytest -n 2 --dist loadgroup` runs by itself: a file, whose fixtures are
    made once, or all tests of the one vLLM server. Those take longest, so they begin."""
    items.sort(key=lambda item: item.get_closest_marker("serve") is None)
    for item in items:
        group = "serve" if item.get_closest_marker("serve") else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagedServer]:
    """The embedded model behind a real vLLM server, started once for all tests marked `serve`.

    It may read images below its `media_root` by path.
    """
    folder = tmp_path_factory.mktemp("server")
    media = folder / "media"
    media.mkdir()
    with ManagedServer(
        embedded_model(), media_root=media, max_model_len=4096, log=folder / "vllm.log"
    ) as server:
        yield server


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run with something of everything to look at; for reading only."""
    made = Run(tmp_path_factory.mktemp("runs") / "world")
    with ScriptedServer(reply) as server:
        run_recipe(parse_recipe(recipe_text(server.url), "world"), made, Silent())
    return made
