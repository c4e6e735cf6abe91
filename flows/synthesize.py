"""Cold-start samples to verified trajectories and SFT shards; runs after `curate`.

python -m flows.synthesize flows/recipes/demo.toml runs/demo
"""

from __future__ import annotations

import sys

from prefect import flow

from curation.pipeline import synthesize_steps
from flows.tasks import load, open_job, run_folder, run_stages


@flow(name="synthesize", log_prints=True)
def synthesize(recipe: str, run: str | None = None) -> None:
    """Let the teacher solve what the policy cannot, verify it, and export the SFT targets.

    Args:
        recipe: path of a recipe file.
        run: path of the run folder; by default runs/<recipe's name>.
    """
    loaded = load(recipe)
    with open_job(loaded, run_folder(recipe, run)) as job:
        run_stages(job, synthesize_steps(loaded))


if __name__ == "__main__":
    synthesize(*sys.argv[1:])
