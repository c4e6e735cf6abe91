"""Small charts of counts by source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
"""Paul Tol's "bright" scheme, which colour-blind people can tell apart."""
_HARM = "#ee6677"
_WIDTH = 7.5
"""Inches of every chart."""


def bars(counts: Iterable[tuple[str, str, int]], *, title: str, unit: str) -> Figure:
    """One bar a label, stacked by source; `counts` are (label, source, count).

    Labels stand from top to bottom in the order in which they first come.
    """
    table: dict[str, dict[str, int]] = {}
    for label, source, count in counts:
        table.setdefault(label, {})[source] = count
    if not table:
        return _nothing(title)
    figure, axes = _figure(title, height=0.9 + 0.36 * len(table), panels=1)
    _stack(axes[0], table)
    axes[0].set_xlabel(unit)
    return figure


def _stack(axes: Axes, table: dict[str, dict[str, int]]) -> None:
    labels, totals = list(table), [0] * len(table)
    sources = sorted({source for by_source in table.values() for source in by_source})
    for i, source in enumerate(sources):
        widths = [table[label].get(source, 0) for label in labels]
        colour = _COLOURS[i % len(_COLOURS)]
        drawn = axes.barh(labels, widths, left=totals, color=colour, height=0.7, label=source)
        totals = [total + width for total, width in zip(totals, widths, strict=True)]
    axes.bar_label(drawn, [f"{total:,}" for total in totals], padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.tick_params(axis="y", length=0)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def histograms(
    counts: Iterable[tuple[str, float, int]], *, title: str, value: str, unit: str, low: float
) -> Figure:
    """One panel a source with a bar at each value between `low` and 1; negative ones stand out.

    `counts` are (source, value, count).
    """
    panels: dict[str, list[tuple[float, int]]] = {}
    for source, at, count in counts:
        panels.setdefault(source, []).append((at, count))
    if not panels:
        return _nothing(title)
    figure, axes = _figure(title, height=2.2, panels=len(panels))
    for panel, source in zip(axes, sorted(panels), strict=True):
        _bars_at(panel, panels[source], low)
        panel.set_title(source, fontsize=9)
    figure.supxlabel(value, fontsize=9)
    axes[0].set_ylabel(unit)
    return figure


def _bars_at(axes: Axes, counts: Sequence[tuple[float, int]], low: float) -> None:
    colours = [_HARM if at < 0 else _COLOURS[0] for at, _ in counts]
    # Narrower than an eighth also where the axis goes down to -1, so that neighbours stay apart.
    width = 0.055 * (1 - low)
    axes.bar([at for at, _ in counts], [count for _, count in counts], width, color=colours)
    axes.set_xlim(low - width, 1 + width)
    axes.set_xticks([low + (1 - low) * step / 4 for step in range(5)])
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))


def _figure(title: str, *, height: float, panels: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    axes = list(figure.subplots(1, panels, sharey=True, squeeze=False)[0])
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelsize=9)
    return figure, axes


def _nothing(title: str) -> Figure:
    figure, axes = _figure(title, height=0.9, panels=1)
    axes[0].set_axis_off()
    axes[0].text(0, 0.5, "nothing to show: the run holds no such rows", fontsize=9)
    return figure
