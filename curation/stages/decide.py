"""Benefit and verdicts: counts per sample, and what the recipe's preset makes of them.

Both are recomputed from scores in every run; changing a bound needs no model call.
"""

from __future__ import annotations

from curation.job import Job
from curation.presets import Rule
from curation.recipe import Recipe, attempts
from curation.stage import Count, batches
from curation.stages.screen import count_verdicts

RIGHT = 0.5
"""A score above this is right, as in DeepEyes' reward (`vl_agent.py`: acc > 0.5)."""

_ARMS = {"direct": "direct", "tools": "tools", "oracle": "oracle_crop"}
"""Column prefix of each arm in `benefits`."""


def benefit(job: Job) -> Count:
    """Count right and unscored attempts of every screened sample, by arm."""
    job.run.table("benefits").replace(batches(job.run, benefit_sql(job.recipe)))
    kept = job.run.value("SELECT count(*) FROM screens WHERE kept")
    return Count("benefit", kept, job.run.value("SELECT count(*) FROM benefits")).check()


def benefit_sql(recipe: Recipe) -> str:
    """One row a kept sample; attempts beyond the recipe's n, of an earlier recipe, do not count."""
    counts = ", ".join(_counts(prefix, arm, recipe) for prefix, arm in _ARMS.items())
    rates = ", ".join(
        f"{p}_right / nullif({p}_attempts - {p}_unscored, 0) AS {p}_pass_rate" for p in _ARMS
    )
    return f"""
        WITH attempted AS (
            SELECT rollouts.sample_id, arm, attempt, value
            FROM rollouts LEFT JOIN scores USING (rollout_id)
        ), counted AS (
            SELECT screens.sample_id, {counts}
            FROM screens LEFT JOIN attempted USING (sample_id)
            WHERE screens.kept GROUP BY screens.sample_id
        )
        SELECT *, {rates}, tools_pass_rate - direct_pass_rate AS tool_benefit
        FROM counted ORDER BY sample_id
    """


def _counts(prefix: str, arm: str, recipe: Recipe) -> str:
    chosen = f"arm = '{arm}' AND attempt < {attempts(getattr(recipe.arms, arm))}"
    return f"""
        count(*) FILTER ({chosen}) AS {prefix}_attempts,
        count(*) FILTER ({chosen} AND value > {RIGHT}) AS {prefix}_right,
        count(*) FILTER ({chosen} AND value IS NULL) AS {prefix}_unscored
    """


def direct_holds(recipe: Recipe) -> str:
    """SQL over `benefits`: the direct attempts do not drop the sample."""
    return _all(recipe.preset.direct_rules(recipe.arms.direct.n))


def _all(rules: list[Rule]) -> str:
    return " AND ".join(f"coalesce({rule.sql}, false)" for rule in rules) or "true"


def decide(job: Job) -> Count:
    """The final verdict on every sample: kept for RL or the cold start, or dropped and by what."""
    job.run.table("verdicts").replace(batches(job.run, verdict_sql(job.recipe)))
    return count_verdicts(job, "decide", "verdicts")


def verdict_sql(recipe: Recipe) -> str:
    """Screened-out samples keep their reasons; the others get those of the preset's rules."""
    arms, preset = recipe.arms, recipe.preset
    later = preset.later_rules(attempts(arms.oracle_crop), attempts(arms.tools))
    direct = preset.direct_rules(arms.direct.n)
    reasons = [_reason(rule, "true") for rule in direct]
    reasons += [_reason(rule, direct_holds(recipe)) for rule in later]
    return f"""
        WITH judged AS (
            SELECT sample_id, {preset.split()} AS split,
                   list_filter([{", ".join(reasons)}], lambda reason: reason IS NOT NULL) AS reasons
            FROM benefits JOIN samples USING (sample_id)
        ), joined AS (
            SELECT samples.sample_id, judged.split,
                   CASE WHEN screens.kept THEN reasons ELSE screens.failed END AS failed
            FROM samples JOIN screens USING (sample_id) LEFT JOIN judged USING (sample_id)
        )
        SELECT sample_id, len(failed) = 0 AS kept, failed[1] AS dropped_by, failed,
               CASE WHEN len(failed) = 0 THEN split END AS split
        FROM joined ORDER BY sample_id
    """


def _reason(rule: Rule, applies: str) -> str:
    """SQL: why the rule drops a sample, null where it keeps it or is not asked."""
    return f"""
        CASE WHEN NOT ({applies}) OR ({rule.sql}) THEN NULL
             WHEN ({rule.sql}) IS NULL THEN '{rule.name}:unscored'
             ELSE '{rule.name}' END
    """
