"""Raw data to RL shards.

python -m flows.curate flows/recipes/demo.toml runs/demo
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import State

from curation.pipeline import curate_steps
from flows.work import main, work


@flow(name="curate", log_prints=True)
def curate(recipe: str, run: str | None = None, gpu_slots: str | None = None) -> State[Any] | None:
    """Measure difficulty and tool benefit, decide, and export the RL targets.

    Args:
        recipe: path of a recipe file.
        run: path or URL of the run folder; by default runs/<recipe's name>.
        gpu_slots: a global concurrency limit; every stage that asks a model takes one of its slots.
    """
    return work(recipe, run, curate_steps, gpu_slots=gpu_slots)


if __name__ == "__main__":
    main(curate)
