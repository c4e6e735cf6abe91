"""A measured figure and the bar that it has to meet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One result; higher is better where the bar is a floor, lower where it is a ceiling."""

    name: str
    value: float
    bar: float
    ceiling: bool = False
    unit: str = ""
    to: float | None = None
    """Where the bar is a range, its upper end."""

    @property
    def met(self) -> bool:
        if self.to is not None:
            return self.bar <= self.value <= self.to
        return self.value <= self.bar if self.ceiling else self.value >= self.bar

    def __str__(self) -> str:
        side = "at most" if self.ceiling else "at least"
        unit = f" {self.unit}" if self.unit else ""
        bar = f"{side} {self.bar:g}" if self.to is None else f"{self.bar:g} to {self.to:g}"
        outcome = "met" if self.met else "MISSED"
        return f"{self.name}: {self.value:.2f}{unit} (bar: {bar}{unit}) {outcome}"
