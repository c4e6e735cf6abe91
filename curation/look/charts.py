"""Small charts as SVG: lengths across in per cent, so that text keeps its size on any width.

Colours are classes of the style sheet; every chart has its figures as a table, folded away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

Series = Mapping[str, int]
"""Counts by series: a source, an arm, or whatever else is told apart by colour."""

COLOURS = 7
"""Series that have a colour of their own; the eighth takes the first again."""
_BAR, _LABEL, _ROW = 14, 18, 44
"""Height of a bar, of the line of text above it and of both with what lies between, in pixels."""
_PANEL = 96
"""Height of a histogram's tallest bar in pixels."""


def bars(counts: Iterable[tuple[str, str, int]], *, title: str, unit: str) -> Markup:
    """One bar a label, stacked by series; `counts` are (label, series, count).

    Labels stand from top to bottom in the order in which they first come.
    """
    table: dict[str, dict[str, int]] = {}
    for label, series, count in counts:
        table.setdefault(label, {})[series] = count
    if not table:
        return _nothing(title)
    names = _names(table.values())
    widest = max(sum(row.values()) for row in table.values())
    rows = Markup("").join(
        _bar(at * _ROW, label, row, names, widest) for at, (label, row) in enumerate(table.items())
    )
    drawn = _svg(f"{title}: {len(table)} bars, in {unit}", len(table) * _ROW - 8, rows)
    cells = [(label, *(f"{row.get(name, 0):,}" for name in names)) for label, row in table.items()]
    return _figure(title, names, drawn, (unit, *names), cells)


def _bar(top: int, label: str, row: Series, names: Sequence[str], widest: int) -> Markup:
    parts, start = [], 0.0
    for index, name in enumerate(names):
        if count := row.get(name):
            width = 100 * count / widest
            parts.append(_rect(index, start, top + _LABEL, width, _BAR, f"{name}: {count:,}"))
            start += width
    return Markup(
        '<text x="0" y="{y}">{label}</text>'
        '<text x="100%" y="{y}" text-anchor="end" class="total">{total:,}</text>{parts}'
    ).format(y=top + 13, label=label, total=sum(row.values()), parts=Markup("").join(parts))


def histograms(
    counts: Iterable[tuple[str, float, str, int]],
    *,
    title: str,
    value: str,
    unit: str,
    step: float,
    ticks: Mapping[float, str],
) -> Markup:
    """One panel a name with a bar at each value, stacked by series.

    `counts` are (panel, value, series, count); bars are `step` apart, and `ticks` are the labelled
    values, the first and last of which end the axis.
    """
    panels: dict[str, dict[float, dict[str, int]]] = {}
    for panel, at, series, count in counts:
        panels.setdefault(panel, {}).setdefault(at, {})[series] = count
    if not panels:
        return _nothing(title)
    names = _names(row for panel in panels.values() for row in panel.values())
    drawn = Markup("").join(
        _panel(name, panel, names, step, ticks) for name, panel in panels.items()
    )
    cells = [
        (name, f"{at:g}", *(f"{row.get(series, 0):,}" for series in names))
        for name, panel in panels.items()
        for at, row in sorted(panel.items())
    ]
    body = Markup('<div class="panels">{}</div><p class="axis">{}</p>').format(drawn, value)
    return _figure(title, names, body, (unit, value, *names), cells)


def _panel(
    name: str,
    panel: Mapping[float, Series],
    names: Sequence[str],
    step: float,
    ticks: Mapping[float, str],
) -> Markup:
    low, high = min(ticks) - step / 2, max(ticks) + step / 2
    tallest = max(sum(row.values()) for row in panel.values())
    total = sum(sum(row.values()) for row in panel.values())
    width = 100 * step / (high - low)
    parts = []
    for at, row in sorted(panel.items()):
        floor = float(_LABEL + _PANEL)
        for index, series in enumerate(names):
            if count := row.get(series):
                height = _PANEL * count / tallest
                floor -= height
                left = 100 * (at - low) / (high - low) - width / 2
                said = f"{at:g}, {series}: {count:,}"
                parts.append(_rect(index, left + width * 0.06, floor, width * 0.88, height, said))
    for at, label in ticks.items():
        parts.append(
            Markup('<text x="{:.2f}%" y="{}" text-anchor="middle" class="tick">{}</text>').format(
                100 * (at - low) / (high - low), _LABEL + _PANEL + 15, label
            )
        )
    parts.append(_line("axis", 0, 100, _LABEL + _PANEL, _LABEL + _PANEL))
    parts.append(Markup('<text x="0" y="11" class="tick">{:,}</text>').format(tallest))
    shown = _svg(f"{name}: {total:,}", _LABEL + _PANEL + 20, Markup("").join(parts))
    return Markup('<div><p class="panel">{} <small>{:,}</small></p>{}</div>').format(
        name, total, shown
    )


def intervals(rows: Iterable[tuple[str, float, float, float]], *, title: str, value: str) -> Markup:
    """One panel a name with estimates from -1 to 1 in rising order, each with its interval.

    `rows` are (panel, low, estimate, high); an interval all above or below 0 stands out.
    """
    panels: dict[str, list[tuple[float, float, float]]] = {}
    for panel, *interval in rows:
        panels.setdefault(panel, []).append((interval[0], interval[1], interval[2]))
    if not panels:
        return _nothing(title)
    drawn = Markup("").join(_ladder(name, panel) for name, panel in panels.items())
    cells = [
        (name, *(f"{edge:.2f}" for edge in interval))
        for name, panel in panels.items()
        for interval in sorted(panel, key=lambda one: (one[1], one))
    ]
    body = Markup('<div class="panels">{}</div><p class="axis">{}</p>').format(drawn, value)
    return _figure(title, (), body, ("samples", "low", "estimate", "high"), cells)


def _ladder(name: str, panel: Sequence[tuple[float, float, float]]) -> Markup:
    height = 2 * _PANEL
    parts = [
        _line("axis" if at == 0 else "grid", 7, 100, _height(at), _height(at)) for at in (-1, 0, 1)
    ]
    parts += [
        Markup('<text x="0" y="{:.0f}" class="tick">{}</text>').format(_height(at) + 4, label)
        for at, label in ((-1, "−1"), (0, "0"), (1, "+1"))
    ]
    for index, (low, middle, high) in enumerate(sorted(panel, key=lambda one: (one[1], one))):
        x = 9 + 90 * (index + 0.5) / len(panel)
        kind = "helps" if low > 0 else "harms" if high < 0 else "open"
        parts.append(_line(kind, x, x, _height(low), _height(high)))
        parts.append(
            Markup('<circle class="{}" cx="{:.2f}%" cy="{:.1f}" r="2"/>').format(
                kind, x, _height(middle)
            )
        )
    shown = _svg(f"{name}: {len(panel)} intervals", height + 16, Markup("").join(parts))
    return Markup('<div><p class="panel">{} <small>{:,}</small></p>{}</div>').format(
        name, len(panel), shown
    )


def _height(value: float) -> float:
    """Where a value from -1 to 1 stands, from the top."""
    return 8 + _PANEL * (1 - value)


def share_bar(parts: Mapping[str, int]) -> Markup:
    """Shares of one whole as a bar across; the keys are classes of the style sheet."""
    whole, start, drawn = sum(parts.values()), 0.0, []
    for kind, count in parts.items():
        if count:
            width = 100 * count / whole
            drawn.append(
                Markup(
                    '<rect class="{}" x="{:.2f}%" width="{:.2f}%" height="12">'
                    "<title>{}: {:,}</title></rect>"
                ).format(kind, start, width, kind, count)
            )
            start += width
    said = ", ".join(f"{kind} {count:,}" for kind, count in parts.items())
    return _svg(said, 12, Markup("").join(drawn))


def _names(rows: Iterable[Series]) -> tuple[str, ...]:
    return tuple(sorted({name for row in rows for name in row}))


def _rect(index: int, x: float, y: float, width: float, height: float, said: str) -> Markup:
    return Markup(
        '<rect class="s{}" x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}">'
        "<title>{}</title></rect>"
    ).format(index % COLOURS, x, y, width, height, said)


def _line(kind: str, left: float, right: float, top: float, bottom: float) -> Markup:
    return Markup('<line class="{}" x1="{:.2f}%" x2="{:.2f}%" y1="{:.1f}" y2="{:.1f}"/>').format(
        kind, left, right, top, bottom
    )


def _svg(said: str, height: int, body: Markup) -> Markup:
    return Markup('<svg role="img" aria-label="{}" width="100%" height="{}">{}</svg>').format(
        said, height, body
    )


def _figure(
    title: str,
    names: Sequence[str],
    body: Markup,
    header: Sequence[str],
    cells: Iterable[Sequence[str]],
) -> Markup:
    """Title, legend, drawing, and the same figures as a table."""
    items = Markup("").join(
        Markup('<li><i class="s{}"></i>{}</li>').format(index % COLOURS, name)
        for index, name in enumerate(names)
    )
    legend = items and Markup('<ul class="legend">{}</ul>').format(items)
    head = Markup("").join(Markup("<th scope=col>{}</th>").format(name) for name in header)
    rows = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(map(Markup("<td>{}</td>").format, row)))
        for row in cells
    )
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption>{}{}'
        "<details><summary>Figures</summary>"
        '<div class="wide" tabindex="0"><table><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div></details></figure>"
    ).format(title, legend, body, head, rows)


def _nothing(title: str) -> Markup:
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption>'
        "<p>Nothing to show: the run holds no such rows.</p></figure>"
    ).format(title)
