"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from curation.models import ManagedServer, embedded_model


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
