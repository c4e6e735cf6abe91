"""Requests in flight over those that the bound allows, with 500 rollouts of three turns that run
code in between; and the memory of the pipeline."""

from __future__ import annotations

import argparse
import asyncio
import math
import multiprocessing
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.bench.figure import Figure
from tests.bench.scale import run_command
from tests.scripted_server import Request, ScriptedServer, Text
from tests.simulator import recipe_head

BAR = 0.95
MOST_GIB = 1.5
ATTEMPTS = 4
_SPREAD, _LONGEST = 0.5, 5
"""Of a turn's time, which is log-normal, so that few take much longer than most; the longest is so
many medians."""
_ARMS = f"""
[arms.direct]
n = 2
[arms.tools]
n = {ATTEMPTS}
scope = "all"
curtail = false
[decide]
preset = "deepeyes"
fine_grained = []
[sandbox]
memory = 268435456
"""
# A session keeps its place while the model thinks, so the sandbox must admit more of them than
# requests are to be in flight; it admits by what a session may take.
_CELLS = ("crop = image_1.crop((0, 0, 30, 30)); show(crop)", "print(crop.resize((90, 90)).size)")


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--rollouts", type=int, default=500, help="rollouts in work (500)")
    command.add_argument("--in-flight", type=int, default=64, help="requests at once (64)")
    command.add_argument("--seconds", type=float, default=4.0, help="of the median turn (4)")


def measure(*, rollouts: int, in_flight: int, seconds: float) -> Iterator[Figure]:
    """One run through the command line; its server says how it was used."""
    settings = (rollouts, in_flight, seconds)
    with tempfile.TemporaryDirectory() as name, _serving(*settings) as server:
        folder = Path(name)
        recipe = folder / "inflight.toml"
        samples = rollouts // ATTEMPTS
        head = recipe_head(server.recv(), samples=samples, in_flight=in_flight)
        recipe.write_text(head + _ARMS)
        command = ["run", str(recipe), "--run", str(folder / "run")]
        usage = run_command(command, folder / "log")
        server.send("done")
        used, allowed, took = server.recv()
    print(
        f"inflight: {samples * ATTEMPTS} rollouts of 3 turns in {took:.1f} s, on average"
        f" {used / took:.1f} requests in flight of {allowed / took:.1f} that could be",
        flush=True,
    )
    yield Figure("inflight: requests in flight over those allowed", used / allowed, BAR)
    gib = usage.ru_maxrss / 2**20  # Linux counts KiB.
    yield Figure("inflight: peak memory of the pipeline", gib, MOST_GIB, True, "GiB")


@dataclass(slots=True)
class Gauge:
    """How many requests of the tools arm were in flight, and how many could have been: one for
    every unfinished rollout, up to the bound. Both are summed over time."""

    bound: int
    unfinished: int
    in_flight: int = 0
    used: float = 0.0
    allowed: float = 0.0
    began: float = field(default_factory=time.monotonic)
    _last: float | None = None
    """Null before the first request, and once all rollouts are finished."""

    def change(self, *, in_flight: int, finished: int = 0) -> None:
        """Take into account what was so far, then change it."""
        now = time.monotonic()
        if self._last is None:
            self.began = self._last = now
        elapsed = now - self._last
        self.used += elapsed * self.in_flight
        self.allowed += elapsed * min(self.bound, self.unfinished)
        self.in_flight += in_flight
        self.unfinished -= finished
        self._last = now

    @property
    def figures(self) -> tuple[float, float, float]:
        """Requests times seconds, used and allowed, and the seconds."""
        assert self._last is not None, "no request came"
        return self.used, self.allowed, self._last - self.began


def _turn(request: Request) -> int:
    """Number of the turn that is asked for, or -1 where no tools are offered."""
    if "</code>" not in request["stop"]:
        return -1
    return sum(message["role"] == "assistant" for message in request["messages"])


def reply(request: Request) -> list[Text]:
    """Two cells, then an answer; without tools the answer at once."""
    turn = _turn(request)
    if turn not in range(len(_CELLS)):
        return ["<think>It is seen.</think>\n<answer>right</answer>"] * request["n"]
    text = f"<think>Look.</think>\n<code>\n```python\n{_CELLS[turn]}\n```\n</code>"
    return [text] * request["n"]


def _seconds(request: Request, median: float) -> float:
    """How long a request takes: as long as the longest of its replies."""
    draw = random.Random(request["seed"])
    times = [draw.lognormvariate(math.log(median), _SPREAD) for _ in range(request["n"])]
    return min(_LONGEST * median, max(times))


@contextmanager
def _serving(rollouts: int, in_flight: int, seconds: float) -> Iterator[Connection]:
    """The model in a process of its own; says its URL and, when told "done", its figures."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(theirs, rollouts, in_flight, seconds), daemon=True
    )
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _serve(connection: Connection, rollouts: int, in_flight: int, seconds: float) -> None:
    gauge = Gauge(in_flight, rollouts // ATTEMPTS * ATTEMPTS)

    async def work(request: dict[str, Any], replies: Sequence[Text]) -> None:
        turn = _turn(request)
        if turn < 0:
            return
        gauge.change(in_flight=1)
        await asyncio.sleep(_seconds(request, seconds))
        gauge.change(in_flight=-1, finished=len(replies) * (turn == len(_CELLS)))

    with ScriptedServer(reply, record=False, service=work) as server:
        connection.send(server.url)
        try:
            connection.recv()
            connection.send(gauge.figures)
            connection.poll(None)
        except EOFError:  # The other end is gone.
            return
