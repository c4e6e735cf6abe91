"""`toolsight sandbox`: the sandbox for others than this machine's runs."""

from __future__ import annotations

from typing import Annotated

import typer

from curation.cli.told import told

app = typer.Typer(
    help="The sandbox for model-written code.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def commands() -> None:
    """Keeps `serve` a command of its own: an app with a single one would take its place."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address; others than loopback need a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8000,
    token_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable with the token.")
    ] = None,
    sessions: Annotated[
        int | None, typer.Option(min=1, help="Open at once; by default what the memory allows.")
    ] = None,
    cells: Annotated[
        int | None, typer.Option(min=1, help="Running at once; by default one a core.")
    ] = None,
    wait_seconds: Annotated[
        float, typer.Option(min=0, help="For a place or a core; then the answer is 503.")
    ] = 30.0,
    idle_seconds: Annotated[
        float, typer.Option(min=1, help="After which an unused session is ended.")
    ] = 3600.0,
    stop_seconds: Annotated[
        float, typer.Option(min=1, help="That running cells have at SIGTERM.")
    ] = 20.0,
    request_mib: Annotated[int, typer.Option(min=1, help="MiB of the largest request.")] = 64,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A limit of sessions, as in [sandbox]; repeat it."),
    ] = None,
) -> None:
    """Serve the sandbox over HTTP: to DeepEyesV2's trainer, and to runs on other machines."""
    with told():
        import asyncio

        from curation.sandbox import read_token, service

        work = service.serve(
            service.read_limits(limit or ()),
            host=host,
            port=port,
            token=read_token(token_env),
            sessions=sessions,
            cells=cells,
            wait_seconds=wait_seconds,
            idle_seconds=idle_seconds,
            stop_seconds=stop_seconds,
            request_mib=request_mib,
        )
        asyncio.run(work)
