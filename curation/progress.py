"""Progress of long stages: a live panel on a terminal (`curation.panel`), plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from rich.console import Console

from curation.stage import Count, sentence

Figures = Callable[[], Sequence[str]]
"""How the models are doing at this moment, in lines for a person."""


class Meter(Protocol):
    """Counts the finished units of one stage."""

    def advance(self, units: int = 1) -> None: ...


@dataclass(slots=True)
class Pace:
    """A stage at work: how far it is, how fast it goes, and how long it will take."""

    name: str
    total: int | None
    unit: str
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def advance(self, units: int = 1) -> None:
        self.done += units

    @property
    def seconds(self) -> float:
        """So far."""
        return max(time.monotonic() - self.started, 1e-9)

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.done / self.seconds

    @property
    def left(self) -> str:
        """The time to its end, such as `1:05 left`; empty where that is not known."""
        if not self.total or not 0 < self.done < self.total:
            return ""
        return f"{clock((self.total - self.done) / self.rate)} left"


class Reporter(Protocol):
    """Tells a person what is going on."""

    def say(self, line: str) -> None: ...

    def stage(self, name: str, total: int | None, unit: str) -> AbstractContextManager[Meter]: ...

    def counted(self, count: Count, seconds: float) -> None:
        """A stage is done, and this is what came of it."""

    def follow(self, figures: Figures) -> None:
        """Show these beside what a stage tells."""


class Silent:
    """Says nothing; for tests and for flows, which have artifacts instead."""

    def say(self, line: str) -> None: ...

    def counted(self, count: Count, seconds: float) -> None: ...

    def follow(self, figures: Figures) -> None: ...

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
    """One line every few seconds, with how the models are doing, and one at the end of a stage."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    every: float = 10.0
    figures: Figures = list

    def say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)

    def counted(self, count: Count, seconds: float) -> None:
        self.say(sentence(count))

    def follow(self, figures: Figures) -> None:
        self.figures = figures

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Meter]:
        meter = _LineMeter(name, total, unit, lines=self)
        yield meter
        if total != 0:
            meter.tell()


@dataclass(slots=True)
class _LineMeter(Pace):
    lines: Lines = field(kw_only=True)
    told: float = field(default_factory=time.monotonic)

    def advance(self, units: int = 1) -> None:
        self.done += units
        if time.monotonic() - self.told >= self.lines.every:
            self.told = time.monotonic()
            self.tell()
            for line in self.lines.figures():
                self.lines.say(f"  {line}")

    def tell(self) -> None:
        of = f" of {self.total}" if self.total is not None else ""
        parts = [f"{self.done}{of} {self.unit} in {clock(self.seconds)}", f"{self.rate:.1f}/s"]
        parts += [self.left] if self.left else []
        self.lines.say(f"{self.name}: {', '.join(parts)}")


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


@contextmanager
def reporting() -> Iterator[Reporter]:
    """A live panel when standard output is a terminal, lines otherwise."""
    from curation.panel import Panel

    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    with Panel(console) as panel:
        yield panel
