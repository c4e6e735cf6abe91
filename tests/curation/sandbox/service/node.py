"""A real `toolsight sandbox serve` process on loopback, and plain requests to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

LIMITS = {"memory": 512 << 20, "disk": 8 << 20, "images": 3, "pixels": 1_000_000}
"""What tests ask of a session, so that many fit."""


@dataclass(frozen=True)
class Heard:
    """An answer."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """The sentence of a refusal."""
        (key,) = self.json
        assert key == "detail"
        return str(self.json["detail"])


class ServiceNode:
    """The service as a process; `arguments` are those of the command line."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        limits = [word for item in LIMITS.items() for word in ("--limit", "{}={}".format(*item))]
        command = [sys.executable, "-m", "curation", "sandbox", "serve", "--port", "0", *limits]
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("sandbox service at "), line
        self.url = line.split()[3].removesuffix(":")

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Heard:
        """A request; `body` is JSON unless it is bytes."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path,
            data,
            {"Content-Type": "application/json"} | (headers or {}),
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Heard(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Heard(error.code, error.read(), dict(error.headers))

    def post(self, path: str, body: object = None, **headers: str) -> Heard:
        return self.ask("POST", path, body, headers)

    def cell(self, session_id: str, code: str, timeout: float = 30) -> Any:
        """DeepEyesV2's request, as its environment sends it."""
        answer = self.post(
            "/jupyter_sandbox", {"session_id": session_id, "code": code, "timeout": timeout}
        )
        assert answer.status == 200, answer
        return answer.json

    def figure(self, name: str) -> float:
        """A figure of the metrics page."""
        lines = self.ask("GET", "/metrics").body.decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
