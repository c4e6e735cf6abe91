"""Owed: which attempts an arm is to make, and what making them needs, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.estimates.rules import Enough, Rule
from curation.images import crop
from curation.job import Job
from curation.recipes.presets import settled
from curation.recipes.recipe import Recipe
from curation.rollouts.conversation import Unit
from curation.runs import Run
from curation.stage import Stage, query_rows
from curation.stages.count import RIGHT, asked, tallies
from curation.stages.draw import Owed
from curation.stages.reject import drawn_sql
from curation.stages.voices import Voice, arm_of, attempts_sql, rollout_sql, speaker_sql
from schemas import Box
from schemas.rollout import TEACHING


def stop_rule(recipe: Recipe, name: str) -> Rule | None:
    """What the attempts of an arm have to settle; null where all of them are drawn."""
    if name == "teacher" and recipe.teach and recipe.teach.verified:
        return Enough(wanted=recipe.teach.verified, n=recipe.teach.attempts)
    if name in TEACHING or not arm_of(recipe, name).curtail:
        return None
    conditions = recipe.preset.conditions(recipe.arms.planned())
    return next((condition.rule for condition in conditions if condition.arm == name), None)


def roll_stage(recipe: Recipe, voices: Sequence[Voice], n: int, rule: Rule | None = None) -> Stage:
    """The wanted attempts: n for every sample in the arm's scope, until the rule is settled."""
    arm = voices[0].sampler.arm
    stage = Stage(
        name=arm,
        table="rollouts",
        key="rollout_id",
        wanted=attempts_sql(voices, scope(recipe, arm), n),
        arm=arm,
    )
    if rule is None:
        return stage
    drawn = _drawn(recipe, arm, n)
    done = f"SELECT sample_id FROM ({drawn}) WHERE {settled('drawn', rule)}"
    return replace(stage, settled=done)


def _drawn(recipe: Recipe, arm: str, n: int) -> str:
    """SQL: the graded attempts of an arm, by sample; of a teacher's, the verified ones."""
    if arm in TEACHING and recipe.teach:
        return drawn_sql(arm, n, recipe.teach)
    return f"""
        SELECT rollouts.sample_id,
               count(*) FILTER (value > {RIGHT}) AS drawn_right,
               count(*) FILTER (value <= {RIGHT}) AS drawn_wrong,
               count(*) FILTER (value IS NULL) AS drawn_unscored
        FROM rollouts JOIN scores USING (rollout_id)
        WHERE arm = '{arm}' AND attempt < {n} GROUP BY ALL
    """


def scope(recipe: Recipe, name: str) -> str:
    """SQL: the samples that an arm is run on."""
    if name == "direct":
        return "SELECT sample_id FROM screens WHERE kept"
    if name == "guided":
        taught = scope(recipe, "teacher")
        return f"""SELECT sample_id FROM ({taught}) JOIN samples USING (sample_id)
                   WHERE len(evidence) > 0"""
    if name == "teacher":
        share = recipe.teach.rl_share if recipe.teach else 0.0
        drawn = f"('0x' || sample_id[:8])::UBIGINT < {share} * 4294967296"
        return f"""SELECT sample_id FROM verdicts
                   WHERE split = 'cold_start' OR (split = 'rl' AND {drawn})"""
    return f"""SELECT sample_id FROM ({tallies("counts")}) JOIN samples USING (sample_id)
               WHERE {asked(recipe, name)}"""


def owed_samples(job: Job, stage: Stage, voices: Sequence[Voice], n: int) -> Iterator[Owed]:
    """What is owed, sample by sample; samples that share an image follow each other."""
    run, shown = job.run, voices[0].sampler.treatment.images
    # Only numbers are gathered, as lists are held in memory: of a million samples, those of the
    # ids would not fit.
    rows = query_rows(
        run,
        f"""
        SELECT samples.*, attempts,
               list_transform(attempts, lambda attempt: {rollout_sql(voices)}) AS rollout_ids,
               list_transform(attempts, lambda attempt: {speaker_sql(voices)}) AS speakers,
               coalesce(drawn_right, 0) AS correct, coalesce(drawn_wrong, 0) AS wrong
        FROM (
            SELECT wanted.sample_id, list_sort(list(wanted.attempt)) AS attempts
            {stage.owed} GROUP BY wanted.sample_id
        ) JOIN samples USING (sample_id)
        LEFT JOIN ({_drawn(job.recipe, stage.name, n)}) AS drawn USING (sample_id)
        ORDER BY image_ids, sample_id
        """,
    )
    for row in rows:
        unit = Unit(
            row["sample_id"],
            row["source"],
            row["question"],
            _images(run, row, shown),
            dict(zip(row["attempts"], row["rollout_ids"], strict=True)),
            row["origin_id"],
            dict(zip(row["attempts"], row["speakers"], strict=True)),
            tuple(Box(**box) for box in row["evidence"]),
            row["metadata"],
        )
        yield Owed(unit, row, n, job.recipe.graders)


def _images(run: Run, row: Mapping[str, Any], shown: str) -> tuple[Path, ...]:
    if shown == "evidence":
        return _crops(run, row)
    if shown == "none":
        return ()
    return tuple(run.images.soon(image_id) for image_id in row["image_ids"])


def _crops(run: Run, row: Mapping[str, Any]) -> tuple[Path, ...]:
    """The evidence and nothing else: one crop a box, stored like any other image."""
    boxes = [Box(**box) for box in row["evidence"]]
    crops = [crop(run.images.read(row["image_ids"][box.image]), box) for box in boxes]
    return tuple(run.images.path(run.images.put(image)) for image in crops)
