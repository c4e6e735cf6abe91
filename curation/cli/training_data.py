"""Commands on files for trainers: exports, and trajectories that others made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curation.cli.terminal import table
from curation.cli.told import told

BROKEN = 1
"""Exit code of a check that found something."""
SHOWN_FINDINGS = 100


def check_export(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="DIR...", help="Exports that are trained on together, or URLs."),
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
        from curation.stores import fetch_export, is_url

        broken: Counter[str] = Counter()
        local = [fetch_export(each) if is_url(each) else Path(each) for each in folders]
        for finding in check_exports(
            local, target, processor=processor, max_prompt_tokens=max_prompt_tokens, cutoff=cutoff
        ):
            broken[finding.rule] += 1
            if broken.total() <= SHOWN_FINDINGS:
                print(f"{finding.where}: {finding.rule}: {finding.sentence}")
        if broken:
            counts = ", ".join(f"{rule} {count}" for rule, count in broken.most_common())
            typer.echo(f"the trainer's contract is broken: {counts}", err=True)
            raise typer.Exit(BROKEN)
        print("every rule holds on every row")


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
        table(found.cells())
        for name, rows in found.shown.items():
            print(f"\n{name}")
            for row in rows:
                print(f"  {row}")
        print(f"\nnothing speaks against {found.sound:,} of {found.rows:,} rows")
