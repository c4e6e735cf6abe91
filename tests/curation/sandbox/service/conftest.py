"""One real service for all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.curation.sandbox.service.node import ServiceNode


@pytest.fixture(scope="session")
def node() -> Iterator[ServiceNode]:
    with ServiceNode("--sessions", "64", "--limit", "cell_seconds=30") as node:
        yield node
        assert node.process.poll() is None, "the service goes on after everything it was sent"
