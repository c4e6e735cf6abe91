"""What the service is told on the command line: the limits of its sessions, and its token."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import tomllib
from collections.abc import Sequence

from curation.errors import RecipeError, SandboxError
from curation.recipes.settings import bind
from curation.sandbox.limits import Limits

DEFAULTS = {"cell_seconds": 300.0, "session_seconds": 86_400.0}
"""Limits that differ from a recipe's: DeepEyesV2's environment gives a cell 200 seconds, and uses
one session for as long as a worker lives."""


def read_limits(words: Sequence[str]) -> Limits:
    """Limits from `name=value`, as a recipe's `[sandbox]` has them; raises RecipeError."""
    try:
        table = tomllib.loads("\n".join(words))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(
            f"--limit: write it as NAME=NUMBER, such as text=20000: {error}"
        ) from None
    return bind(Limits, DEFAULTS | table, "--limit")


def check_token(host: str, token: str | None) -> None:
    """Raises SandboxError where a token is missing or would not fit into a URL."""
    if token is None and not _is_loopback(host):
        raise SandboxError(
            f"the service at {host} is open to others and needs a token: export one, such as that"
            " of `python -c 'import secrets; print(secrets.token_urlsafe())'`, and name its"
            " variable with --token-env"
        )
    if token is not None and not re.fullmatch(r"[\w-]{16,}", token, re.ASCII):
        raise SandboxError(
            "the token must have at least 16 characters, of letters, digits, - and _: it may stand"
            " in a URL"
        )


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
