"""Commands on a recipe and its run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curation.cli.terminal import table, width
from curation.cli.told import told

if TYPE_CHECKING:
    from curation.runs import Run

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file (TOML).")]
RunPath = Annotated[
    str, typer.Argument(metavar="RUN", help="A run folder, or its URL: s3://bucket/folder.")
]


def check(recipe: RecipePath) -> None:
    """Find every mistake in a recipe before anything is paid for."""
    with told():
        from curation.check import check_recipe

        for line in check_recipe(recipe):
            print(line)


def run(
    recipe: RecipePath,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Run folder or URL; by default runs/<recipe's name>."),
    ] = None,
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Try again what failed before.")
    ] = False,
    task_runner: Annotated[
        str | None,
        typer.Option("--task-runner", help="threads, dask[:ADDRESS] or ray[:ADDRESS]."),
    ] = None,
) -> None:
    """Do everything that the recipe says and that is not yet done in the run folder."""
    with told():
        from curation.pipeline import run_recipe
        from curation.progress import reporting
        from curation.recipes.file import load_recipe
        from curation.runs import Run

        folder = Run.at(run or Path("runs") / recipe.stem, new=True)
        loaded = load_recipe(recipe, task_runner=task_runner)
        with reporting() as reporter:
            run_recipe(loaded, folder, reporter, retry_quarantined=retry_quarantined)
        _show(folder)


def funnel(run: RunPath) -> None:
    """Show what became of every row, by source, and where the shards are."""
    with told():
        from curation.runs import Run

        _show(Run.at(run))


def metrics(
    run: RunPath,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write a file, whole or not at all, instead of printing."),
    ] = None,
) -> None:
    """Tell a run's figures to Prometheus, also while it works: for a textfile collector."""
    with told():
        from curation.runs import Run
        from curation.tables import write_text
        from curation.telemetry.exposition import exposition

        text = exposition(Run.at(run))
        if out is None:
            print(text, end="")
        else:
            write_text(out, text)


def sql(run: RunPath, query: Annotated[str, typer.Argument(metavar="QUERY")]) -> None:
    """Ask a run's tables in SQL (DuckDB): one view a table."""
    with told():
        import duckdb

        from curation.errors import RunError
        from curation.runs import Run

        with Run.at(run).connect() as db:
            try:
                found = db.sql(query)
            except duckdb.Error as error:
                raise RunError(f"DuckDB does not take the query: {error}") from None
            if found is not None:
                found.show(max_rows=1000, max_width=max(width(), 120))


def why(
    run: RunPath, sample: Annotated[str, typer.Argument(metavar="SAMPLE", help="Its id.")]
) -> None:
    """Tell everything that happened to one sample."""
    with told():
        from curation.funnel import tell
        from curation.runs import Run

        for title, rows in tell(Run.at(run), sample):
            print(title)
            for row in rows:
                print("  " + _line(row))


def rules(
    run: RunPath,
    preset: Annotated[
        list[str] | None, typer.Option("--preset", help="A preset; again for more; else all.")
    ] = None,
) -> None:
    """Show what each preset would keep of a run, from stored counts, without a model."""
    with told():
        from curation.compare import compare
        from curation.runs import Run

        table(compare(Run.at(run), preset or ()).cells())


def grade(
    run: RunPath,
    grader: Annotated[
        str | None,
        typer.Option(
            "--grader", help="Decides every kind of answer; by default as the recipe says."
        ),
    ] = None,
) -> None:
    """Grade all rollouts of a run again, without new rollouts, and tell what changed."""
    with told():
        from curation.pipeline import grade_again
        from curation.progress import reporting
        from curation.runs import Run

        with reporting() as reporter:
            grade_again(Run.at(run), reporter, only=grader)


def export(run: RunPath, target: Annotated[str, typer.Argument(metavar="TARGET")]) -> None:
    """Write one export of a finished run, also one that its recipe does not name."""
    with told():
        from curation.pipeline import export_target
        from curation.progress import reporting
        from curation.runs import Run

        with reporting() as reporter:
            told_of = export_target(Run.at(run), target, reporter)
        print(told_of)


def _show(run: Run) -> None:
    from curation.exporters.manifest import MANIFEST, read_manifest
    from curation.funnel import read_funnel

    table(read_funnel(run).cells())
    for export in sorted(path.parent for path in run.path.glob(f"exports/[!.]*/{MANIFEST}")):
        for shard in read_manifest(export).shards:
            print(f"{run.place}/exports/{export.name}/{shard.name}")


def _line(row: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}={value!r}" for key, value in row.items() if value not in (None, [], "")
    )
