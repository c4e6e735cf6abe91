"""A run that kills itself: `python -m tests.curation.killed RECIPE RUN LOG NOTES MODE`.

After so many notes in a journal the next one kills the process: `before` it is written, when
`half` of it is, or `after`. What then is not on disk is told in the log, by its kind.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import load_recipe
from curation.rollouts.journal import Entry, Journal
from curation.rollouts.journal import _line as line
from curation.runs import Run

MODES = ("before", "half", "after")


def main(recipe: str, run: str, log: str, notes: str, mode: str) -> None:
    left, write = int(notes), Journal.note

    def note(journal: Journal, entries: Iterable[Entry]) -> None:
        nonlocal left
        made = list(entries)
        if left:
            left -= 1
            return write(journal, made)
        if mode == "after":
            write(journal, made)
        else:
            text = b"".join(map(line, made)) if mode == "half" else b""
            with journal._path.open("ab") as file:
                file.write(text[: len(text) // (2 * len(made))])
            kind = "reply" if made[0].step.turn.call is None else "result"
            with Path(log).open("a") as told:
                told.write(f"{kind}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    Journal.note = note  # type: ignore[method-assign]
    run_recipe(load_recipe(Path(recipe)), Run(Path(run)), Silent())


if __name__ == "__main__":
    main(*sys.argv[1:])
