"""Both flows in one: raw data to RL and SFT shards, with one start of each model server.

python -m flows.full flows/recipes/demo.toml runs/demo
"""

from __future__ import annotations

import sys

from prefect import flow

from curation.pipeline import curate_steps, synthesize_steps
from flows.tasks import load, open_job, run_folder, run_stages


@flow(name="full", log_prints=True)
def full(recipe: str, run: str | None = None) -> None:
    """Curate, then synthesize.

    Args:
        recipe: path of a recipe file.
        run: path of the run folder; by default runs/<recipe's name>.
    """
    loaded = load(recipe)
    with open_job(loaded, run_folder(recipe, run)) as job:
        run_stages(job, [*curate_steps(loaded), *synthesize_steps(loaded)])


if __name__ == "__main__":
    full(*sys.argv[1:])
