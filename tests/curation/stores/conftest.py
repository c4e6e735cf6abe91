from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.curation.stores.scripted_store import ScriptedStore


@pytest.fixture(scope="session")
def server() -> Iterator[ScriptedStore]:
    with ScriptedStore() as store:
        yield store


@pytest.fixture
def url(server: ScriptedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place for a run in a bucket of its own, with the environment that leads there."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"s3://{server.new_bucket()}/runs/small"
