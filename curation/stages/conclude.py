"""Conclude: what is found about a trajectory in view of others, and of what a model said again.

Pure functions of what is on disk, so they are found anew in every run: a bound can be changed
without a model call. Rows replace those of the run before; paid findings stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pyarrow as pa

from curation.job import Job
from curation.recipes.recipe import Teach
from curation.stage import query_rows
from curation.stages.agree import JUDGED
from curation.stages.verify import CHECKED, case_of
from curation.verification import THOUGHTS, Finding, Gallery, holds, unscored
from curation.verification.duplicates import Kept
from curation.verification.support import support
from schemas import Rollout, Support, Verification, to_table
from schemas.arrow import from_dict

LOOKS = f"""
    SELECT rollouts.*, question, answers, answer_kind, image_ids, category,
           list_filter(list_transform(turns, lambda turn: turn.call.name),
                       lambda name: name IS NOT NULL) AS called,
           len(called) AS tool_calls,
           array_to_string(list_sort(list_distinct(called)), '+') AS tool,
           list_sum(list_transform(turns, lambda turn: turn.completion_tokens)) AS tokens
    FROM rollouts SEMI JOIN ({CHECKED}) USING (rollout_id) JOIN samples USING (sample_id)
"""
"""SQL: rollouts that nothing speaks against by themselves."""
_NOT_ASKED = "no judge is asked about its thoughts"


def conclude(job: Job, teach: Teach) -> None:
    """Write the findings of `verification.LATER`."""
    rows = [*_supported(job, teach), *_agreeing(job, teach)]
    rejected = {row.rollout_id for row in rows if not holds(row.check, row.passed, row.evidence)}
    table = job.run.table("verifications")
    table.replace(_batches([*rows, *_distinct(job, rejected)]))


def _batches(rows: list[Verification]) -> Iterator[pa.Table]:
    yield to_table(Verification, rows)


def _supported(job: Job, teach: Teach) -> Iterator[Verification]:
    if not teach.support:
        return
    rows = query_rows(
        job.run,
        f"""SELECT looks.rollout_id, looks.sample_id, supports
            FROM ({LOOKS}) AS looks LEFT JOIN supports USING (rollout_id) WHERE tool_calls > 0""",
    )
    for row in rows:
        if row["supports"] and row["supports"]["rollout_id"]:
            finding = support(from_dict(Support, row["supports"]), teach.max_support_right)
        else:
            finding = unscored("it could not be asked again")
        yield _row(row["rollout_id"], row["sample_id"], "support", finding)


def _agreeing(job: Job, teach: Teach) -> Iterator[Verification]:
    """What the judge found, and of the other rollouts why it found nothing."""
    looks = f"SELECT rollout_id, sample_id, {JUDGED} AS judged FROM ({LOOKS})"
    if teach.judge_thoughts:
        found = f"FROM agreements SEMI JOIN ({looks}) USING (rollout_id)"
        for row in query_rows(job.run, found):
            yield from_dict(Verification, row)
        looks += " ANTI JOIN agreements USING (rollout_id)"
    for row in query_rows(job.run, looks):
        asked = teach.judge_thoughts and row["judged"]
        finding = unscored("the judge could not be asked") if asked else Finding(None, _NOT_ASKED)
        for check in THOUGHTS:
            yield _row(row["rollout_id"], row["sample_id"], check, finding)


def _distinct(job: Job, without: set[str]) -> Iterator[Verification]:
    """Of trajectories alike in one dialect, about the same pictures and to the same answer, the
    shortest is kept."""
    rows = query_rows(
        job.run,
        f"""SELECT *, coalesce(nullif(image_ids, []), [question])
                      || [dialect, lower(prediction)] AS about
            FROM ({LOOKS}) ORDER BY about, tool_calls, tokens, rollout_id""",
        rows=256,
    )
    gallery = Gallery(job.run.images.read)
    for _, alike in groupby(rows, key=lambda row: row["about"]):
        kept = Kept()
        for row in alike:
            if row["rollout_id"] not in without:
                case = case_of(from_dict(Rollout, row), row, job.recipe, gallery)
                finding = kept.near_duplicate(case)
                yield _row(row["rollout_id"], row["sample_id"], "near_duplicate", finding)


def _row(rollout_id: str, sample_id: str, check: str, finding: Finding) -> Verification:
    return Verification(
        rollout_id, sample_id, check, finding.passed, finding.evidence, finding.turn
    )
