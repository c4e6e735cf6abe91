"""Where code runs: what every backend offers, and the one function that opens a recipe's."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from curation.errors import SandboxError
from curation.sandbox.limits import Limits
from curation.sandbox.remote import RemoteSandbox
from curation.sandbox.sandbox import Sandbox
from curation.sandbox.server import ForkServer
from curation.sandbox.session import CellResult

BACKENDS = ("bwrap", "remote")


class CodeSession(Protocol):
    """One rollout's interpreter."""

    async def run(self, code: str, *, timeout: float | None = None) -> CellResult:
        """Runs a cell; what goes wrong is told in the result."""
        ...

    async def close(self) -> None: ...


class CodeSandbox(Protocol):
    """Opens sessions while it is entered; entering raises SandboxError without isolation."""

    @property
    def probes(self) -> Mapping[str, str]:
        """What the self-test found, by property; for the manifest."""
        ...

    async def open(self, images: Sequence[bytes] = (), *, seed: int = 0) -> CodeSession:
        """A session with the encoded images loaded; waits for a place.

        Raises ValueError for an image that is refused, SandboxError when no session can be had.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings(Limits):
    """A recipe's `[sandbox]`: where code runs, and the limits of a session."""

    backend: str = "bwrap"
    """`bwrap` isolates on this machine; `remote` asks nodes that run `toolsight sandbox serve`."""
    urls: tuple[str, ...] = ()
    """The nodes of `remote`."""
    token_env: str | None = None
    """Environment variable that holds the nodes' token: secrets do not belong into recipes."""

    def __post_init__(self) -> None:
        Limits.__post_init__(self)
        if self.backend not in BACKENDS:
            raise ValueError(f"no backend {self.backend!r}: choose one of {', '.join(BACKENDS)}")
        if self.backend == "remote" and not self.urls:
            raise ValueError('backend = "remote" needs urls = ["http://node:8000", ...]')
        if self.backend != "remote" and (self.urls or self.token_env is not None):
            raise ValueError(
                'urls and token_env need backend = "remote": add it, or leave them out'
            )
        for url in self.urls:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"urls: {url!r} does not start with http:// or https://")
            if "/token/" in url:
                raise ValueError("urls: leave the token out and name its variable as token_env")


def open_sandbox(settings: SandboxSettings, server: ForkServer | None = None) -> CodeSandbox:
    """The backend that the settings name, to be entered; raises SandboxError without its token.

    server: see `Sandbox`
    """
    if settings.backend == "remote":
        return RemoteSandbox(settings.urls, settings, token=read_token(settings.token_env))
    return Sandbox(settings, server=server)


def read_token(variable: str | None) -> str | None:
    """The token that an environment variable holds; raises SandboxError where it is not set."""
    if variable is None:
        return None
    token = os.environ.get(variable)
    if not token:
        raise SandboxError(
            f"the environment variable {variable}, named as the one with the sandbox's token, is"
            " not set: export it"
        )
    return token
