"""Raw data to RL shards.

python -m flows.curate flows/recipes/demo.toml runs/demo
"""

from __future__ import annotations

import sys

from prefect import flow

from curation.pipeline import curate_steps
from flows.tasks import load, open_job, run_folder, run_stages


@flow(name="curate", log_prints=True)
def curate(recipe: str, run: str | None = None) -> None:
    """Measure difficulty and tool benefit, decide, and export the RL targets.

    Args:
        recipe: path of a recipe file.
        run: path of the run folder; by default runs/<recipe's name>.
    """
    loaded = load(recipe)
    with open_job(loaded, run_folder(recipe, run)) as job:
        run_stages(job, curate_steps(loaded))


if __name__ == "__main__":
    curate(*sys.argv[1:])
