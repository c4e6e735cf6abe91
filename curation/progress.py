"""Progress of long stages: bars with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Meter(Protocol):
    """Counts the finished units of one stage."""

    def advance(self, units: int = 1) -> None: ...


class Reporter(Protocol):
    """Tells a person what is going on."""

    def say(self, line: str) -> None: ...

    def stage(self, name: str, total: int | None, unit: str) -> AbstractContextManager[Meter]: ...


class Silent:
    """Says nothing; for tests and for flows, which have artifacts instead."""

    def say(self, line: str) -> None: ...

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Meter]:
        yield _Tally()


@dataclass(slots=True)
class _Tally:
    done: int = 0

    def advance(self, units: int = 1) -> None:
        self.done += units


@dataclass(slots=True)
class Lines:
    """One line every few seconds and one at the end of a stage."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    every: float = 10.0

    def say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Meter]:
        meter = _LineMeter(self, name, total, unit)
        yield meter
        if total != 0:
            meter.tell()


@dataclass(slots=True)
class _LineMeter:
    lines: Lines
    name: str
    total: int | None
    unit: str
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def advance(self, units: int = 1) -> None:
        self.done += units
        if time.monotonic() - self.told >= self.lines.every:
            self.told = time.monotonic()
            self.tell()

    def tell(self) -> None:
        seconds = max(time.monotonic() - self.started, 1e-9)
        rate = self.done / seconds
        of = f" of {self.total}" if self.total is not None else ""
        left = ""
        if self.total and rate and self.done < self.total:
            left = f", {_clock((self.total - self.done) / rate)} left"
        self.lines.say(
            f"{self.name}: {self.done}{of} {self.unit} in {_clock(seconds)}, {rate:.1f}/s{left}"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


class Bars:
    """A bar a stage."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False)

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Meter]:
        columns = (
            TextColumn(f"{{task.description:12}} {unit}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>8.1f}/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            yield _Bar(progress, progress.add_task(name, total=total, rate=0.0))


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task, self._done = progress, task, 0
        self._started = time.monotonic()

    def advance(self, units: int = 1) -> None:
        self._done += units
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        self._progress.update(self._task, advance=units, rate=rate)


def reporter() -> Reporter:
    """Bars when standard output is a terminal, lines otherwise."""
    console = Console()
    return Bars(console) if console.is_terminal else Lines()
