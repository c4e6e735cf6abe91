"""Raw data to RL and SFT shards, with one start of each model server.

python -m flows.curate_and_synthesize flows/recipes/demo.toml runs/demo
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import State

from curation.pipeline import all_steps
from flows.work import main, work


@flow(name="curate-and-synthesize", log_prints=True)
def curate_and_synthesize(
    recipe: str, run: str | None = None, gpu_slots: str | None = None
) -> State[Any] | None:
    """Curate, then synthesize.

    Args:
        recipe: path of a recipe file.
        run: path or URL of the run folder; by default runs/<recipe's name>.
        gpu_slots: a global concurrency limit; every stage that asks a model takes one of its slots.
    """
    return work(recipe, run, all_steps, gpu_slots=gpu_slots)


if __name__ == "__main__":
    main(curate_and_synthesize)
