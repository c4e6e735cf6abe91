"""Cold-start samples to verified trajectories and SFT shards; runs after `curate`.

python -m flows.synthesize flows/recipes/demo.toml runs/demo
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import State

from curation.pipeline import synthesize_steps
from flows.work import main, work


@flow(name="synthesize", log_prints=True)
def synthesize(
    recipe: str, run: str | None = None, gpu_slots: str | None = None
) -> State[Any] | None:
    """Let the teacher solve what the policy cannot, verify it, and export the SFT targets.

    Args:
        recipe: path of a recipe file.
        run: path or URL of the run folder; by default runs/<recipe's name>.
        gpu_slots: a global concurrency limit; every stage that asks a model takes one of its slots.
    """
    return work(recipe, run, synthesize_steps, gpu_slots=gpu_slots)


if __name__ == "__main__":
    main(synthesize)
