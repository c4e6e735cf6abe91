"""Where a server is, and the key that it asks for."""

from __future__ import annotations

import os

from curation.errors import ServerError


def api_key_from(variable: str) -> str:
    """The key in an environment variable; recipes name the variable, never the key."""
    key = os.environ.get(variable, "")
    if not key:
        raise ServerError(
            f"The environment variable {variable}, named by api_key_env, is not set: export it "
            "with the API key of the model's server."
        )
    return key


def api_base(url: str) -> str:
    """The URL without a trailing slash and with the `/v1` that a bare host lacks."""
    url = url.rstrip("/")
    return url if "/" in url.partition("://")[2] else f"{url}/v1"
