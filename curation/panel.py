"""The live panel of `toolsight run`.

It shows stages with rate and time left, the funnel so far, how the models are doing and what they
have cost, and what was said last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from curation.progress import Figures, Meter, Pace, clock
from curation.stage import Count

_REFRESHES = 2.0
"""A second; drawing a panel takes some milliseconds."""
_SAID = 4
"""Lines of what was said last."""
_COLUMNS = ("stage", "", "done", "rate", "time", "in", "kept", "dropped", "quarantined")


class Bar(Pace):
    """A stage at work, as a row of the table."""

    def cells(self) -> tuple[RenderableType, ...]:
        of = f" of {self.total:,}" if self.total is not None else ""
        bar = ProgressBar(total=self.total or None, completed=self.done, width=20)
        done = f"{self.done:,}{of} {self.unit}"
        return (self.name, bar, done, f"{self.rate:,.1f}/s", self.left or clock(self.seconds))


class Panel:
    """Context manager over a region of the terminal that is drawn anew while the run goes on."""

    def __init__(self, console: Console) -> None:
        self._figures: Figures = list
        self._said: deque[str] = deque(maxlen=_SAID)
        self._counted: dict[str, tuple[Count, float]] = {}
        self._bars: list[Bar] = []
        self._console = console
        self._live = Live(console=console, get_renderable=self.draw, refresh_per_second=_REFRESHES)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def say(self, line: str) -> None:
        self._said.append(line)

    def follow(self, figures: Figures) -> None:
        self._figures = figures

    def counted(self, count: Count, seconds: float) -> None:
        """A stage that comes again, such as grade, stands where it came last."""
        _, before = self._counted.pop(count.stage, (None, 0.0))
        self._counted[count.stage] = (count, before + seconds)

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Meter]:
        bar = Bar(name, total, unit)
        self._bars.append(bar)
        try:
            yield bar
        finally:
            self._bars.remove(bar)

    def draw(self) -> RenderableType:
        """What the panel shows at this moment."""
        notes = [Text(line, style="cyan") for line in self._figures()]
        notes += [Text(line, style="dim") for line in self._said]
        table = Table(*_COLUMNS, box=None)
        for column in table.columns[3:]:
            column.justify = "right"
        room = max(3, self._console.height - len(notes) - len(self._bars) - 2)
        for count, seconds in list(self._counted.values())[-room:]:
            table.add_row(*_counts(count, seconds))
        for bar in list(self._bars):
            table.add_row(*bar.cells(), style="bold")
        return Group(table, *notes)


def _counts(count: Count, seconds: float) -> tuple[str, ...]:
    figures = (count.rows_in, count.kept, count.dropped, count.quarantined)
    told = (f"{figure:,}" if figure else "" for figure in figures)
    return (count.stage, "✓", "", "", clock(seconds), *told)
