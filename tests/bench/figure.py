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

    @property
    def met(self) -> bool:
        return self.value <= self.bar if self.ceiling else self.value >= self.bar

    def __str__(self) -> str:
        side = "at most" if self.ceiling else "at least"
        unit = f" {self.unit}" if self.unit else ""
        outcome = "met" if self.met else "MISSED"
        return f"{self.name}: {self.value:.2f}{unit} (bar: {side} {self.bar:g}{unit}) {outcome}"
