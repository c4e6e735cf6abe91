"""Which run is looked at."""

from __future__ import annotations

import os
from pathlib import Path

from curation.errors import RunError
from curation.stores import is_url

VARIABLE = "TOOLSIGHT_RUN"
DEFAULT = "runs/demo"


def run_path() -> Path | str:
    """The run folder or URL that `TOOLSIGHT_RUN` names; `runs/demo` when it is not set.

    A relative path is looked for in the working folder and then in each folder above it, so that
    a notebook in `notebooks/` finds what is relative to the repository.

    Raises:
        RunError: there is no such folder.
    """
    wanted, here = os.environ.get(VARIABLE) or DEFAULT, Path.cwd()
    if is_url(wanted):
        return wanted
    for folder in (here, *here.parents):
        if (folder / wanted).is_dir():
            return folder / wanted
    raise RunError(
        f"there is no run in {wanted}: make one with `toolsight run RECIPE`, or name the folder of"
        f" another in the environment variable {VARIABLE}"
    )
