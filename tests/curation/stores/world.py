"""What the tests of stores share: a recipe that is over in a second, and machines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import load_recipe
from curation.runs import Run
from curation.stores import Pace, Store

RECIPE = """
seed = 7
[[sources]]
use = "tests.curation.scene:sums"
name = "sums"
limit = 6
[policy]
url = "{url}"
max_tokens = 64
max_in_flight = 1
[arms.direct]
n = 4
curtail = false
[decide]
preset = "deepeyes"
fine_grained = []
[[exports]]
target = "deepeyes"
"""
REQUESTS = 6
"""That the recipe makes: one a sample."""
HASTE = Pace(every=0.05, patience=0.2)


def write_recipe(folder: Path, url: str) -> Path:
    path = folder / "small.toml"
    path.write_text(RECIPE.format(url=url))
    return path


def at(url: str, pace: Pace = HASTE) -> Run:
    """The run at a URL, seen from the machine that this process plays."""
    store = Store(url, pace)
    return Run(store.folder, store)


def work(recipe: Path, run: Run) -> None:
    run_recipe(load_recipe(recipe), run, Silent())


def become(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this process is a machine whose cache folder is the given one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine))


if __name__ == "__main__":
    work(Path(sys.argv[1]), at(sys.argv[2]))
