"""The command line. Every command imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

import typer

from curation.cli import look, recipe, runs, sandbox, search, training_data

app = typer.Typer(
    help="Curate visual question answering data for agentic vision-language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    recipe.recipe,
    runs.check,
    runs.run,
    runs.funnel,
    runs.rules,
    look.report,
    look.show,
    look.diff,
    runs.why,
    runs.sql,
    runs.metrics,
    runs.grade,
    runs.export,
    training_data.check_export,
    training_data.audit,
):
    app.command()(command)
app.add_typer(search.app, name="search")
app.add_typer(sandbox.app, name="sandbox")

__all__ = ["app"]
