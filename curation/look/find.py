"""What a person means by the beginning of an id."""

from __future__ import annotations

import duckdb

from curation.errors import RunError
from curation.funnel import quarantined
from curation.runs import Run

_NAMES = """
    SELECT 'sample', sample_id FROM samples
    WHERE starts_with(sample_id, $1) OR origin_id = $1
    UNION
    SELECT 'rollout', rollout_id FROM rollouts
    WHERE starts_with(rollout_id, $1)
    UNION
    SELECT 'rollout', rollout_id FROM trajectories
    WHERE starts_with(trajectory_id, $1)
    LIMIT 2
"""


def find(run: Run, db: duckdb.DuckDBPyConnection, name: str) -> tuple[str, str]:
    """Kind (sample or rollout) and id of what a name stands for: a sample's id or the row's id in
    its source, a rollout's id, a trajectory's id, or a beginning that no other id has.

    Raises:
        RunError: nothing answers to that name, or several things do.
    """
    found: list[tuple[str, str]] = db.execute(_NAMES, [name]).fetchall()
    if not found:
        raise quarantined(db, name) or RunError(
            f"{run.path} holds no sample, rollout or trajectory {name!r}: `toolsight sql` lists"
            " samples.sample_id, rollouts.rollout_id and trajectories.trajectory_id"
        )
    if len(found) > 1:
        raise RunError(
            f"several samples or rollouts of {run.path} are called {name!r}: write more of the id"
        )
    return found[0]
