"""Which backend a recipe gets."""

from __future__ import annotations

import pytest

from curation.errors import SandboxError
from curation.sandbox import RemoteSandbox, Sandbox, SandboxSettings, open_sandbox

URL = "http://node:8000"


def test_the_named_backend_is_opened() -> None:
    assert isinstance(open_sandbox(SandboxSettings()), Sandbox)
    assert isinstance(open_sandbox(SandboxSettings(backend="remote", urls=(URL,))), RemoteSandbox)


def test_a_token_that_is_not_there_is_told() -> None:
    settings = SandboxSettings(backend="remote", urls=(URL,), token_env="NOT_SET")
    with pytest.raises(SandboxError, match="NOT_SET"):
        open_sandbox(settings)
