"""`toolsight search`: build what the search tools look in, and try it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from curation.cli.told import told

app = typer.Typer(
    help="Build and try what the search tools look in.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Paths = Annotated[
    list[str], typer.Argument(metavar="PATH...", help="Files, folders or patterns of files.")
]
_EVERY = 100_000


@app.command()
def build(
    paths: Paths,
    index: Annotated[Path, typer.Option(help="Folder to make; it must not exist.")],
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    title: Annotated[str | None, typer.Option(help="Column of the title.")] = None,
    url: Annotated[str | None, typer.Option(help="Column of the link.")] = None,
) -> None:
    """Index Parquet, JSON or text files for the `search` tool."""
    with told():
        from curation.search.build import build_corpus
        from curation.search.documents import Columns

        built = build_corpus(paths, index, Columns(text, title, url), tell=_tell)
        print(f"{index}: {built.card.documents:,} documents, {built.card.skipped:,} rows skipped")
        if built.first_bad:
            print(f"the first skipped row: {built.first_bad}")


@app.command()
def images(
    paths: Paths,
    index: Annotated[Path, typer.Option(help="Parquet file to make; it must not exist.")],
) -> None:
    """Hash image files for the `image_search` tool."""
    with told():
        from curation.search.image_set import build_image_set

        built = build_image_set(paths, index)
        print(f"{index}: {built.images:,} images, {built.skipped:,} files skipped")
        if built.first_bad:
            print(f"the first skipped file: {built.first_bad}")


@app.command()
def ask(
    index: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of an index.")],
    query: Annotated[str, typer.Argument(metavar="QUERY")],
    results: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    characters: Annotated[int, typer.Option(min=1, help="Of all passages together.")] = 4000,
) -> None:
    """Search an index, and see what a model would see."""
    with told():
        from curation.search.corpus import open_corpus
        from curation.search.wording import web_results

        found = open_corpus(index).search(query, results, characters // results)
        print(web_results(query, found, characters))


def _tell(documents: int) -> None:
    if documents % _EVERY == 0:
        print(f"{documents:,} documents", file=sys.stderr, flush=True)
