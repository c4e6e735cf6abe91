"""Lines and tables as a terminal shows them."""

from __future__ import annotations

import shutil


def width() -> int:
    return shutil.get_terminal_size().columns


def table(cells: list[tuple[str, ...]]) -> None:
    """Lines of text, the first of them the header; numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    header, *rows = cells
    shown = Table(*header, box=None)
    for column in shown.columns[1:]:
        column.justify = "right"
    for row in rows:
        shown.add_row(*row)
    Console(width=max(width(), 80), highlight=False).print(shown)
