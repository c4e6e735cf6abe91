"""Where stages that only compute do so: in threads here, or on a Dask or Ray cluster.

The names are those of Prefect's task runners. A piece of work carries all that it needs, images
included, so that the cluster's machines need the package but no folder of the run.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from curation.errors import RecipeError, RunError

Piece = TypeVar("Piece")
Made = TypeVar("Made")
THREADS = "threads"
_PATIENCE = 10.0
"""Seconds in which a cluster takes a connection."""


@dataclass(frozen=True, slots=True)
class TaskRunner:
    """Does pieces of work."""

    submit: Callable[[Callable[[Any], Any], Any], Future[Any]]
    """Begins one; the function and the piece are pickled where they leave this machine."""
    places: int
    """Pieces done at a time."""

    def map(self, work: Callable[[Piece], Made], pieces: Iterable[Piece]) -> Iterator[Made]:
        """What becomes of each piece, in order; twice as many are under way as have a place, so
        that memory does not grow with the work."""
        under_way: deque[Future[Made]] = deque()
        for piece in pieces:
            under_way.append(self.submit(work, piece))
            if len(under_way) == 2 * self.places:
                yield under_way.popleft().result()
        for future in under_way:
            yield future.result()


def check_task_runner(text: str) -> None:
    """ValueError unless `text` names a task runner."""
    name, _, address = text.partition(":")
    if name not in _OPENED or (address and name == THREADS):
        raise ValueError(
            f"task_runner is {text!r}: write threads, dask, dask:ADDRESS, ray or ray:ADDRESS"
        )


def check_installed(text: str) -> None:
    """RecipeError unless the package of a task runner is there: who only looks needs none."""
    package = _PACKAGES.get(text.partition(":")[0])
    if package and importlib.util.find_spec(package) is None:
        raise RecipeError(
            f"task_runner is {text!r}, and {package} is not installed: `pip install {package}`"
        )


def open_task_runner(text: str) -> AbstractContextManager[TaskRunner]:
    """The task runner that a recipe names, to be entered. A cluster without an address is started
    on this machine, and stopped at the end.

    Raises:
        RunError: no cluster answers at the address.
    """
    name, _, address = text.partition(":")
    return _OPENED[name](address)


@contextmanager
def _threads(address: str) -> Iterator[TaskRunner]:
    places = os.cpu_count() or 1
    with ThreadPoolExecutor(places, "task") as pool:
        yield TaskRunner(pool.submit, places)


@contextmanager
def _dask(address: str) -> Iterator[TaskRunner]:
    from distributed import Client

    _check_answers("Dask", address)
    client = Client(address) if address else Client(dashboard_address="127.0.0.1:0")
    with client, client.get_executor(pure=False) as executor:
        yield TaskRunner(executor.submit, max(1, sum(client.nthreads().values())))


@contextmanager
def _ray(address: str) -> Iterator[TaskRunner]:
    import ray

    _check_answers("Ray", address)
    # A cluster started here reports nothing to Ray's makers unless its owner says so.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address=address or "local", log_to_driver=False)
    try:
        remote = ray.remote(_call)
        places = max(1, int(ray.cluster_resources().get("CPU", 1)))
        yield TaskRunner(lambda work, piece: remote.remote(work, piece).future(), places)
    finally:
        ray.shutdown()


def _call(work: Callable[[Piece], Made], piece: Piece) -> Made:
    return work(piece)


def _check_answers(cluster: str, address: str) -> None:
    """RunError unless something listens where the address says; Ray alone waits for minutes."""
    where = urlsplit(address if "://" in address else f"//{address}")
    if where.port is None:
        return
    try:
        socket.create_connection((where.hostname, where.port), timeout=_PATIENCE).close()
    except OSError as error:
        raise RunError(
            f"no {cluster} cluster answers at {address} ({error}): start it, or correct"
            " `task_runner`; what is done is kept"
        ) from None


_OPENED = {THREADS: _threads, "dask": _dask, "ray": _ray}
_PACKAGES = {"dask": "distributed", "ray": "ray"}
