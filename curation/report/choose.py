"""Which samples and rollouts of a run get a card, when there are too many for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from curation.verification import HOLDS

SAMPLES = """
    SELECT sample_id AS id, source, unnest(CASE
        WHEN kept THEN [coalesce('kept: ' || split, 'kept')]
        WHEN kept IS NULL THEN ['no verdict']
        ELSE list_transform(failed, lambda rule: 'dropped: ' || rule) END) AS fate
    FROM samples LEFT JOIN verdicts USING (sample_id)
    UNION
    SELECT sample_id, source, 'in quarantine'
    FROM samples SEMI JOIN (
        SELECT coalesce(payload ->> 'sample_id', key) AS sample_id FROM quarantine
    ) USING (sample_id)
"""
"""SQL: samples under every fate that their cards name (`curation.look.cards`)."""

ROLLOUTS = f"""
    WITH checked AS (
        SELECT rollout_id, list("check") FILTER (NOT {HOLDS}) AS against
        FROM verifications GROUP BY rollout_id
    )
    SELECT rollout_id AS id, source, unnest(CASE
        WHEN checked.rollout_id IS NULL THEN ['not verified']
        WHEN against IS NOT NULL THEN list_transform(against, lambda name: 'rejected: ' || name)
        WHEN trajectory_id IS NULL THEN ['verified, not chosen']
        ELSE ['trajectory'] END) AS fate
    FROM rollouts JOIN samples USING (sample_id) LEFT JOIN checked USING (rollout_id)
    LEFT JOIN (SELECT rollout_id, trajectory_id FROM trajectories) USING (rollout_id)
    WHERE arm = 'teacher'
"""
"""SQL: the teacher's rollouts in the same way."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What gets a card, and how much there is."""

    ids: tuple[str, ...]
    total: int
    fates: Mapping[str, tuple[int, int]]
    """Of every fate, how many are chosen and how many there are."""
    sources: tuple[str, ...]


def choose(db: duckdb.DuckDBPyConnection, labelled: str, *, at_most: int) -> Chosen:
    """At most so many of the rows of `labelled`, evenly over sources and fates.

    One of every fate in every source comes first, what was kept before what was not, then the
    second of each, and so on; inside of one they come by id, which is a hash and so a draw that is
    the same every time. At least one of each is chosen, even if that makes more than `at_most`.
    """
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE chosen AS
        WITH labelled AS ({labelled}), ranked AS (
            SELECT *, row_number() OVER (PARTITION BY source, fate ORDER BY id) AS rank
            FROM labelled
        ), best AS (SELECT id, min(rank) AS rank, min(fate) AS fate FROM ranked GROUP BY id)
        SELECT id, row_number() OVER (ORDER BY rank, fate DESC, id) AS place FROM best
        QUALIFY rank = 1 OR place <= {at_most}
    """)
    counts = db.execute(f"""
        SELECT fate, count(place)::INT, count(*)::INT FROM ({labelled}) LEFT JOIN chosen USING (id)
        GROUP BY fate ORDER BY fate
    """).fetchall()
    total, sources = db.execute(
        f"SELECT count(DISTINCT id)::INT, list(DISTINCT source ORDER BY source) FROM ({labelled})"
    ).fetchall()[0]
    ids = db.execute("SELECT id FROM chosen ORDER BY place").fetchall()
    return Chosen(
        tuple(name for (name,) in ids),
        total,
        {fate: (shown, there) for fate, shown, there in counts},
        tuple(sources or ()),
    )
