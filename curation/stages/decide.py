"""Decide: what the recipe's preset makes of the counts.

Verdicts are recomputed in every run; changing a bound needs no model call.
"""

from __future__ import annotations

from curation.job import Job
from curation.recipes.presets import Condition, Planned, Preset
from curation.stage import Count, remake
from curation.stages.count import holds, tallies
from curation.stages.screen import TEXT_ONLY, count_verdicts

MEASURES = f"""
    SELECT tallied.*, samples.* EXCLUDE (sample_id), benefits.* EXCLUDE (
               sample_id, direct_right, direct_unscored, tools_right, tools_unscored)
    FROM ({tallies("counts")}) AS tallied
    JOIN samples USING (sample_id) JOIN benefits USING (sample_id)
"""
"""SQL: everything that conditions speak of, one row a screened sample."""


TEXT = "text"
"""The split of samples without an image: their solutions are for the cold start alone."""


def decide(job: Job) -> Count:
    """The final verdict on every sample: kept for RL or the cold start, or dropped and by what."""
    sql = verdict_sql(job.recipe.preset, job.recipe.arms.planned())
    remake(job.run, "verdicts", sql)
    return count_verdicts(job, "decide", "verdicts")


def verdict_sql(preset: Preset, planned: Planned) -> str:
    """Screened-out samples keep their reasons; the others get those of the preset's conditions."""
    return f"""
        WITH judged AS (
            SELECT sample_id, {preset.split()} AS split,
                   list_filter([{", ".join(_reasons(preset, planned))}],
                               lambda reason: reason IS NOT NULL) AS reasons
            FROM ({MEASURES})
        ), joined AS (
            SELECT samples.sample_id,
                   CASE WHEN screens.failed = ['{TEXT_ONLY}'] THEN '{TEXT}' ELSE judged.split END
                       AS split,
                   CASE WHEN screens.failed = ['{TEXT_ONLY}'] THEN []::VARCHAR[]
                        WHEN screens.kept THEN reasons ELSE screens.failed END AS failed
            FROM samples JOIN screens USING (sample_id) LEFT JOIN judged USING (sample_id)
        )
        SELECT sample_id, len(failed) = 0 AS kept, failed[1] AS dropped_by, failed,
               CASE WHEN len(failed) = 0 THEN split END AS split
        FROM joined ORDER BY sample_id
    """


def _reasons(preset: Preset, planned: Planned) -> list[str]:
    """What drops a sample; after the direct attempts, only where those do not drop it, and
    estimates only where no count does."""
    conditions = preset.conditions(planned)
    direct = [c for c in conditions if c.arm == "direct"]
    counts = [c for c in conditions if c.arm is not None]

    def reason(condition: Condition) -> str:
        if condition.arm == "direct":
            return condition.reason
        before = counts if condition.arm is None else direct
        return f"CASE WHEN {holds(before)} THEN ({condition.reason}) END"

    return [reason(condition) for condition in conditions]
