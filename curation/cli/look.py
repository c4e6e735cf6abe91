"""Commands that show a run to people: a page, a single sample, two runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curation.cli.runs import RunPath
from curation.cli.terminal import table, width
from curation.cli.told import told


def report(
    run: RunPath,
    out: Annotated[
        Path | None, typer.Option("--out", help="The page; by default report.html in the run.")
    ] = None,
    cards: Annotated[
        int, typer.Option(min=0, help="At most so many samples, and rollouts of the teacher.")
    ] = 500,
) -> None:
    """Write a run as one HTML page: figures, charts, reasons, and cards of samples and rollouts."""
    with told():
        from curation.report import write_report
        from curation.runs import Run

        found = Run.at(run)
        path = out or found.path / "report.html"
        write_report(found, path, cards=cards)
        print(found.store.put_report(path) if found.store and not out else path)


def show(
    run: RunPath,
    id: Annotated[
        str,
        typer.Argument(metavar="ID", help="Of a sample, rollout or trajectory; its beginning."),
    ],
) -> None:
    """Show one sample or rollout in the terminal: image, attempts, graders' notes, checks."""
    with told():
        from rich.console import Console

        from curation.look.terminal import show as show_in
        from curation.runs import Run

        show_in(Run.at(run), id, Console(width=max(width(), 80), highlight=False))


def diff(
    run_a: Annotated[str, typer.Argument(metavar="RUN_A", help="A run folder or URL.")],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B", help="Another one.")],
    rows: Annotated[int, typer.Option(min=0, help="Changed samples shown; 0 for all.")] = 20,
) -> None:
    """Tell which samples changed verdict from one run to another, and which settings differ."""
    with told():
        from curation.diff import diff as compare
        from curation.runs import Run

        found = compare(Run.at(run_a), Run.at(run_b), rows=rows or None)
        if found.settings:
            table([("setting", run_a, run_b), *found.settings])
            print()
        print(f"{found.changed:,} samples have another verdict, {found.same:,} the same")
        if found.changes:
            moves = [(before, after, f"{count:,}") for before, after, count in found.moves]
            table([("before", "after", "samples"), *moves])
        for one in found.changes:
            print(f"\n{one.sample_id[:12]} {one.source}: {one.question}")
            print(f"  before: {one.before} ({one.tally_before})")
            print(f"  after:  {one.after} ({one.tally_after})")
        if found.changed > len(found.changes):
            print(f"\nand {found.changed - len(found.changes):,} more: --rows 0 shows all")
