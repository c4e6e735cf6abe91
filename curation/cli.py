"""The command line. Every command imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curation.sandbox.command import app as sandbox_app
from curation.search.command import app as search_app
from curation.told import told

if TYPE_CHECKING:
    from curation.runs import Run

app = typer.Typer(
    help="Curate visual question answering data for agentic vision-language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(search_app, name="search")
app.add_typer(sandbox_app, name="sandbox")

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file (TOML).")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]

BROKEN = 1
"""Exit code of a check that found something."""
SHOWN_FINDINGS = 100


@app.command()
def check(recipe: RecipePath) -> None:
    """Find every mistake in a recipe before anything is paid for."""
    with told():
        from curation.check import check_recipe

        for line in check_recipe(recipe):
            print(line)


@app.command()
def run(
    recipe: RecipePath,
    run: Annotated[
        Path | None, typer.Option("--run", help="Run folder; by default runs/<recipe's name>.")
    ] = None,
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Try again what failed before.")
    ] = False,
) -> None:
    """Do everything that the recipe says and that is not yet done in the run folder."""
    with told():
        from curation.pipeline import run_recipe
        from curation.progress import reporter
        from curation.recipe_file import load_recipe
        from curation.runs import Run

        folder = Run(run or Path("runs") / recipe.stem)
        run_recipe(load_recipe(recipe), folder, reporter(), retry_quarantined=retry_quarantined)
        _show(folder)


@app.command()
def funnel(run: RunPath) -> None:
    """Show what became of every row, by source, and where the shards are."""
    with told():
        from curation.runs import Run

        _show(Run(run))


@app.command()
def sql(run: RunPath, query: Annotated[str, typer.Argument(metavar="QUERY")]) -> None:
    """Ask a run's tables in SQL (DuckDB): one view a table."""
    with told():
        import duckdb

        from curation.errors import RunError
        from curation.runs import Run

        with Run(run).connect() as db:
            try:
                found = db.sql(query)
            except duckdb.Error as error:
                raise RunError(f"DuckDB does not take the query: {error}") from None
            if found is not None:
                found.show(max_rows=1000, max_width=max(_width(), 120))


@app.command()
def why(
    run: RunPath, sample: Annotated[str, typer.Argument(metavar="SAMPLE", help="Its id.")]
) -> None:
    """Tell everything that happened to one sample."""
    with told():
        from curation.funnel import tell
        from curation.runs import Run

        for title, rows in tell(Run(run), sample):
            print(title)
            for row in rows:
                print("  " + _line(row))


@app.command()
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

        _table(compare(Run(run), preset or ()).cells())


@app.command()
def export(run: RunPath, target: Annotated[str, typer.Argument(metavar="TARGET")]) -> None:
    """Write one export of a finished run, also one that its recipe does not name."""
    with told():
        from curation.pipeline import export_target
        from curation.progress import reporter
        from curation.runs import Run

        print(export_target(Run(run), target, reporter()))


@app.command()
def audit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON, JSON Lines or Parquet.")],
    dialect: Annotated[str, typer.Option(help="Grammar of its tool calls.")] = "deepeyes-v2",
    images: Annotated[
        Path | None, typer.Option(help="Where its image paths begin; by default its folder.")
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Run its code again in the sandbox.")
    ] = False,
    examples: Annotated[int, typer.Option(min=0, help="Failed rows shown a check.")] = 3,
) -> None:
    """Check trajectories that others made, as SFT trainers read them: what fails, and why."""
    with told():
        import asyncio

        from curation.audit import audit, audit_dialect

        spoken = audit_dialect(dialect)
        found = asyncio.run(audit(file, spoken, images=images, run_again=replay, examples=examples))
        _table(found.cells())
        for name, rows in found.shown.items():
            print(f"\n{name}")
            for row in rows:
                print(f"  {row}")
        print(f"\nnothing speaks against {found.sound:,} of {found.rows:,} rows")


@app.command()
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
        from curation.progress import reporter
        from curation.runs import Run

        grade_again(Run(run), reporter(), only=grader)


@app.command()
def check_export(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Exports that are trained on together."),
    ],
    target: Annotated[
        str | None,
        typer.Option(help="By default the target that the first of them was written for."),
    ] = None,
    processor: Annotated[
        str | None, typer.Option(help="Folder of the model's processor, for exact token counts.")
    ] = None,
    max_prompt_tokens: Annotated[
        int | None, typer.Option(min=1, help="Longest prompt, for RL targets.")
    ] = None,
    cutoff: Annotated[
        int | None, typer.Option(min=1, help="Longest conversation, for SFT targets.")
    ] = None,
) -> None:
    """Find all that a trainer would refuse, lose or trip over; exit code 1 if there is any."""
    with told():
        from collections import Counter

        from curation.exporters import check_exports

        broken: Counter[str] = Counter()
        for finding in check_exports(
            folders, target, processor=processor, max_prompt_tokens=max_prompt_tokens, cutoff=cutoff
        ):
            broken[finding.rule] += 1
            if broken.total() <= SHOWN_FINDINGS:
                print(f"{finding.where}: {finding.rule}: {finding.sentence}")
        if broken:
            counts = ", ".join(f"{rule} {count}" for rule, count in broken.most_common())
            typer.echo(f"the trainer's contract is broken: {counts}", err=True)
            raise typer.Exit(BROKEN)
        print("every rule holds on every row")


def _show(run: Run) -> None:
    from curation.funnel import read_funnel

    _table(read_funnel(run).cells())
    for path in sorted(run.export_path("").glob("*/*.parquet")):
        print(path)


def _table(cells: list[tuple[str, ...]]) -> None:
    """Lines of text, the first of them the header; numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    header, *rows = cells
    table = Table(*header, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    Console(width=max(_width(), 80), highlight=False).print(table)


def _line(row: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}={value!r}" for key, value in row.items() if value not in (None, [], "")
    )


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
