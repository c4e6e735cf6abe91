"""How commands tell of errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from curation.errors import ToolsightError

BAD_INPUT = 2
"""Exit code for every error that the person at the keyboard can mend."""


@contextmanager
def told() -> Iterator[None]:
    """Print a mendable error as its sentence; a bug keeps its traceback."""
    try:
        yield
    except ToolsightError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from None
