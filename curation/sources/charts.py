"""Charts drawn with matplotlib from real tables, with exact answers and evidence boxes.

Values stand beside their marks in print of a chosen size; questions name a mark by colour, by
position or by name. The evidence box is the printed value, from the artist's own extent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from curation.sources import tables
from curation.sources.base import RawSample
from curation.sources.chart_questions import Mark, bar_questions, line_questions, pie_questions
from curation.sources.drawn import Page, padded_box, samples

LARGE, SMALL = (640, 480), (320, 240)
_SMALL_PRINT, _SMALL_MARKS = (22, 30), 4
COLOURS = {
    "red": "#d62728",
    "blue": "#1f4fd8",
    "green": "#2ca02c",
    "orange": "#ff8c1a",
    "purple": "#8e44ad",
    "brown": "#7a4a21",
    "pink": "#ff7fc4",
    "gray": "#8c8c8c",
}
_PAD = 8
"""Pixels around a printed value that belong to its evidence box."""


@dataclass(frozen=True, slots=True)
class Style:
    """How one chart is drawn."""

    size: tuple[int, int]
    """Width and height, pixels."""
    print_size: int
    """Height of the value labels' em, pixels."""
    marks: int
    clutter: bool
    """Grid lines, a tinted background, and on a large chart a caption."""


def charts(
    *,
    split: str = "test",
    seed: int = 0,
    limit: int = 200,
    questions_per_image: int = 2,
    small: float = 0.35,
    min_print: int = 20,
    max_print: int = 46,
    max_marks: int = 6,
    clutter: float = 0.3,
) -> Iterator[RawSample]:
    """Bar, grouped, line and pie charts of 640 x 480 pixels, two questions each.

    split: of the tables, so that none is in two
    seed: another one draws other charts
    limit: rows, a question each
    questions_per_image: the most that ask about one chart
    max_marks: the most bars, points or slices of a chart

    `small` is the share of charts of 320 x 240 pixels with few marks in large print. On the others
    `min_print` and `max_print` bound the size of the value labels in pixels (log-uniform).
    `clutter` is the share of charts with grid, caption and tinted ground.
    """

    def draw(rng: random.Random) -> Page:
        return draw_chart(rng, split, small, min_print, max_print, max_marks, clutter)

    return samples(
        "charts",
        draw,
        split=split,
        seed=seed,
        limit=limit,
        questions_per_image=questions_per_image,
        category="chart",
        license=tables.LICENSE,
        origin=tables.ORIGIN,
    )


def draw_chart(
    rng: random.Random,
    split: str,
    small: float = 0.35,
    min_print: int = 20,
    max_print: int = 46,
    max_marks: int = 6,
    clutter: float = 0.3,
) -> Page:
    """One chart of a random kind with all its questions."""
    if rng.random() < small:
        print_size = rng.randint(*_SMALL_PRINT)
        style = Style(SMALL, print_size, rng.randint(3, _SMALL_MARKS), rng.random() < clutter)
    else:
        print_size = round(min_print * (max_print / min_print) ** rng.random())
        # Large print needs room: about three digits a mark.
        marks = rng.randint(3, max(3, min(max_marks, 500 // (2 * print_size))))
        style = Style(LARGE, print_size, marks, rng.random() < clutter)
    kind = rng.choice(("bar", "bar", "line", "pie", "grouped"))
    figure, axes = _canvas(style)
    make = {"bar": _bar, "grouped": _grouped, "line": _line, "pie": _pie}[kind]
    labels, table = make(rng, split, style, axes)
    return _finish(figure, kind, style, labels, table, rng)


@dataclass(frozen=True, slots=True)
class _Label:
    """A printed value and the mark that it belongs to."""

    artist: Any
    value: int
    colour: str
    name: str
    group: int | None = None


_Drawn = tuple[list[_Label], tables.Table]


def _canvas(style: Style) -> tuple[Figure, Any]:
    figure = Figure(figsize=(style.size[0] / 100, style.size[1] / 100), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.1, 0.88, 0.78))
    if style.clutter:
        axes.set_facecolor("#f3efe6")
        axes.grid(axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, axes


def _text(axes: Any, style: Style, x: float, y: float, value: int, **options: Any) -> Any:
    points = style.print_size * 0.72
    return axes.text(x, y, str(value), fontsize=points, ha="center", clip_on=False, **options)


def _headroom(axes: Any, style: Style, top: float) -> None:
    """Room for the print above the highest mark."""
    axes.set_ylim(0, max(top, 1) * (1.08 + 1.6 * style.print_size / style.size[1]))


def _name_size(style: Style) -> float:
    """Points of the names below the axis: as large as leaves them side by side."""
    return min(9.0, 64 / style.marks) * (0.7 if style.size == SMALL else 1.0)


def _bar(rng: random.Random, split: str, style: Style, axes: Any) -> _Drawn:
    rows = tables.excerpt(rng, split, style.marks, 1)
    heights = [max(values[0], 0) for values in rows.values]
    colours = rng.sample(list(COLOURS), style.marks)
    axes.bar(range(style.marks), heights, color=[COLOURS[c] for c in colours], width=0.7)
    axes.set_xticks(range(style.marks), rows.rows, fontsize=_name_size(style))
    _headroom(axes, style, max(heights))
    labels = [
        _Label(_text(axes, style, x, height, height, va="bottom"), height, colour, name)
        for x, (height, colour, name) in enumerate(zip(heights, colours, rows.rows, strict=True))
    ]
    return labels, rows.table


def _grouped(rng: random.Random, split: str, style: Style, axes: Any) -> _Drawn:
    groups = max(2, style.marks // 2)
    rows = tables.excerpt(rng, split, groups, 2)
    colours = rng.sample(list(COLOURS), 2)
    labels = []
    for series, colour in enumerate(colours):
        for group, values in enumerate(rows.values):
            x, height = group + 0.4 * series - 0.2, max(values[series], 0)
            axes.bar([x], [height], width=0.36, color=COLOURS[colour])
            artist = _text(axes, style, x, height, height, va="bottom")
            labels.append(_Label(artist, height, colour, rows.rows[group], group))
    axes.set_xticks(range(groups), rows.rows, fontsize=_name_size(style))
    _headroom(axes, style, max(label.value for label in labels))
    return labels, rows.table


def _line(rng: random.Random, split: str, style: Style, axes: Any) -> _Drawn:
    rows = tables.excerpt(rng, split, style.marks, 1)
    heights = [max(values[0], 0) for values in rows.values]
    colour = rng.choice(list(COLOURS))
    axes.plot(range(style.marks), heights, color=COLOURS[colour], marker="o", linewidth=2)
    axes.set_xticks(range(style.marks), rows.rows, fontsize=_name_size(style))
    axes.set_xlim(-0.5, style.marks - 0.5)
    _headroom(axes, style, max(heights) * 1.04)
    lift = axes.get_ylim()[1] * 0.02
    labels = [
        _Label(_text(axes, style, x, height + lift, height, va="bottom"), height, colour, name)
        for x, (height, name) in enumerate(zip(heights, rows.rows, strict=True))
    ]
    return labels, rows.table


def _pie(rng: random.Random, split: str, style: Style, axes: Any) -> _Drawn:
    slices = min(style.marks, 6)
    rows = tables.excerpt(rng, split, slices, 1)
    weights = np.array([values[0] + 1 for values in rows.values], dtype=float)
    # No slice below six percent: its number would lie on its neighbours'.
    shares = np.maximum(weights / weights.sum(), 0.06)
    percents = [round(100 * share / shares.sum()) for share in shares]
    colours = rng.sample(list(COLOURS), slices)
    axes.set_position((0.05, 0.02, 0.9, 0.88))
    wedges, _ = axes.pie(
        percents, colors=[COLOURS[c] for c in colours], startangle=90, counterclock=False
    )
    labels = []
    for wedge, percent, colour, name in zip(wedges, percents, colours, rows.rows, strict=True):
        angle = np.deg2rad((wedge.theta1 + wedge.theta2) / 2)
        x, y = 0.68 * np.cos(angle), 0.68 * np.sin(angle)
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        artist = _text(axes, style, x, y, percent, va="center", bbox=ground)
        labels.append(_Label(artist, percent, colour, name))
    return labels, rows.table


def _finish(
    figure: Figure,
    kind: str,
    style: Style,
    labels: list[_Label],
    table: tables.Table,
    rng: random.Random,
) -> Page:
    unit = "percent of the sum" if kind == "pie" else table.unit
    if style.size == SMALL:
        # Every value is printed; the numbers of an axis would not fit beside it.
        figure.axes[0].set_yticks([])
    figure.suptitle(f"{table.name} ({unit})", fontsize=13 if style.size == LARGE else 8)
    if style.clutter and style.size == LARGE:
        figure.text(0.02, 0.015, f"Source: {tables.ORIGIN}", fontsize=6)
    canvas: Any = figure.canvas
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]
    marks = [_mark(label, canvas, style.size) for label in labels]
    ask = {"bar": bar_questions, "grouped": bar_questions, "line": line_questions}
    questions = ask.get(kind, pie_questions)(marks, rng)
    settings = {"kind": kind, "table": table.name, "print_size": style.print_size}
    return Page(Image.fromarray(pixels), tuple(questions), {**settings, "marks": len(marks)})


def _mark(label: _Label, canvas: Any, size: tuple[int, int]) -> Mark:
    extent = label.artist.get_window_extent(canvas.get_renderer())
    box = padded_box((extent.x0, size[1] - extent.y1, extent.x1, size[1] - extent.y0), size, _PAD)
    return Mark(label.value, label.colour, label.name, box, label.group)
