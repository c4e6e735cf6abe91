"""`toolsight recipe`: what can be said in a recipe."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from curation.cli.terminal import width
from curation.cli.told import told

if TYPE_CHECKING:
    from curation.recipes.reference import Key, Section

_WIDEST = 100


def recipe(
    table: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="Such as policy, or sources.hub; by default all."),
    ] = None,
    overview: Annotated[
        bool, typer.Option("--overview", help="One line a table, as Markdown.")
    ] = False,
) -> None:
    """Show every key of a recipe with its type, default, unit and meaning."""
    with told():
        from curation.recipes import reference

        sections = reference.reference()
        if table is not None:
            sections = reference.find(sections, table)
        if overview:
            print(reference.overview(sections))
            return
        print("\n\n".join("\n".join(_lines(section)) for section in sections))


def _lines(section: Section) -> Iterator[str]:
    yield section.header
    yield from _wrapped(section.meaning, 2)
    for key in section.keys:
        yield f"  {_signature(key)}"
        yield from _wrapped(key.meaning, 6)


def _signature(key: Key) -> str:
    """`timeout = 120.0  (number, seconds)`; `path  (string, required)`."""
    said = [key.type, key.unit]
    if key.required:
        said.append("required")
    value = f" = {key.default}" if key.default else ""
    return f"{key.name}{value}  ({', '.join(filter(None, said))})"


def _wrapped(text: str, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        text, min(width(), _WIDEST), initial_indent=margin, subsequent_indent=margin
    )
