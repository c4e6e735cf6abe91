"""An S3 server on loopback that can go away and come back with what it holds."""

from __future__ import annotations

import itertools
import urllib.request
from types import TracebackType
from typing import Self

from moto.server import ThreadedMotoServer

_BUCKETS = itertools.count()
"""Numbers of buckets: of all servers, since these share what they hold."""


class ScriptedStore:
    """Context manager; `moto` keeps the objects in this process, whatever its server does."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._port = 0

    def __enter__(self) -> Self:
        self._server.start()
        _, self._port = self._server.get_host_and_port()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a user of this store sets."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def new_bucket(self) -> str:
        name = f"bucket-{next(_BUCKETS)}"
        request = urllib.request.Request(f"{self.address}/{name}", method="PUT")
        with urllib.request.urlopen(request):
            return name

    def go_away(self) -> None:
        self._server.stop()

    def come_back(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()
