"""Scheduled runs on one machine without a worker: this process schedules them and runs them.

prefect server start
python -m flows.serve flows/recipes/demo.toml runs/demo --cron "0 1 * * *"

It needs a Prefect server, which keeps schedule and history. Ending this process (Ctrl-C) pauses the
schedule until it is started again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from prefect import Flow
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import EntrypointType

from curation.cli.told import told
from curation.errors import RecipeError
from curation.recipes.file import load_recipe
from flows.curate import curate
from flows.curate_and_synthesize import curate_and_synthesize
from flows.synthesize import synthesize
from flows.work import run_folder

FLOWS: dict[str, Flow[..., Any]] = {
    flow.name: flow for flow in (curate, synthesize, curate_and_synthesize)
}
ONE_AT_A_TIME = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
"""A run folder takes one writer, so a run that is still at work makes the next one wait."""

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command()
def serve(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file (TOML).")],
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Run folder or URL; by default runs/<recipe's name>."),
    ] = None,
    flow: Annotated[
        str, typer.Option(help=f"One of {', '.join(FLOWS)}.")
    ] = curate_and_synthesize.name,
    cron: Annotated[str | None, typer.Option(help='Such as "0 1 * * *", in UTC.')] = None,
    interval: Annotated[
        int | None, typer.Option(min=1, help="Seconds between the starts of two runs.")
    ] = None,
    gpu_slots: Annotated[
        str | None, typer.Option(help="A global concurrency limit for stages that ask a model.")
    ] = None,
) -> None:
    """Run a flow by a schedule or, without one, whenever somebody starts it in Prefect."""
    with told():
        load_recipe(recipe)
        _check(flow, cron, interval)
    found = run_folder(str(recipe), run)
    FLOWS[flow].serve(
        name=found.path.name,
        cron=cron,
        interval=interval,
        parameters={"recipe": str(recipe), "run": found.place, "gpu_slots": gpu_slots},
        limit=1,
        global_limit=ONE_AT_A_TIME,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _check(flow: str, cron: str | None, interval: int | None) -> None:
    if flow not in FLOWS:
        raise RecipeError(f"--flow: there is no flow {flow!r}: choose one of {', '.join(FLOWS)}")
    if cron is not None and interval is not None:
        raise RecipeError("--cron and --interval are two schedules: choose one")
    if cron is not None:
        try:
            CronSchedule(cron=cron)
        except ValueError:
            raise RecipeError(
                f"--cron: {cron!r} is no cron expression: write five fields such as '0 1 * * *'"
            ) from None


if __name__ == "__main__":
    app()
