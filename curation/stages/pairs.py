"""Pairs: a trajectory against rollouts of its sample that a check rejected, for DPO trainers.

Both begin with the same turns, then part. Where a check found the fault in the turn in which they
part, the pair ends there, as in Step-DPO (arXiv 2406.18629): what follows a fault is neither better
nor worse. Pairs about one step come first, then those that part late. What was rejected for being
alike, for not needing its tools, or by the judge of its thoughts, is right and stands against
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile
from typing import Any

import pyarrow as pa

from curation.job import Job
from curation.recipes.recipe import Recipe, Teach
from curation.stage import query_rows, to_json
from curation.verification import FLAGS, LATER, names_sql
from schemas import Message, Pair, Rollout, Turn, to_table
from schemas.arrow import from_dict
from schemas.rollout import TEACHING

_ROWS = 256
_CANDIDATES = f"""
    WITH against AS (
        SELECT rollout_id, list("check" ORDER BY "check") AS rejected_by, min(turn) AS fault_turn
        FROM verifications
        WHERE NOT passed AND "check" NOT IN {names_sql((*LATER, *FLAGS))} GROUP BY rollout_id
    )
    SELECT rollouts.*, question, image_ids, rejected_by, fault_turn
    FROM rollouts JOIN samples USING (sample_id) LEFT JOIN against USING (rollout_id)
    WHERE sample_id IN (SELECT sample_id FROM trajectories) AND arm IN {names_sql(TEACHING)}
        AND len(turns) > 0
        AND (rejected_by IS NOT NULL OR rollout_id IN (SELECT rollout_id FROM trajectories))
    ORDER BY sample_id, rollout_id
"""
"""Trajectories and rejected rollouts of the samples that have a trajectory."""


def write_pairs(job: Job, teach: Teach) -> None:
    """Write the pairs anew: a function of the trajectories, which are composed anew."""
    job.run.table("pairs").replace(_tables(job, teach.pairs))


def _tables(job: Job, most: int) -> Iterator[pa.Table]:
    made: list[Pair] = []
    if most:
        rows = query_rows(job.run, _CANDIDATES, rows=_ROWS)
        for _, of_sample in groupby(rows, key=lambda row: row["sample_id"]):
            made += pairs(list(of_sample), job.recipe)[:most]
            if len(made) >= _ROWS:
                yield to_table(Pair, made)
                made = []
    yield to_table(Pair, made)


def pairs(rows: Sequence[dict[str, Any]], recipe: Recipe) -> list[Pair]:
    """The pairs of one sample; a rejected rollout stands against one trajectory only."""
    chosen = [row for row in rows if row["rejected_by"] is None]
    rejected = [row for row in rows if row["rejected_by"] is not None]
    made: list[tuple[int, Pair]] = []
    for bad in rejected:
        same = [good for good in chosen if good["dialect"] == bad["dialect"]]
        if same:
            good = max(same, key=lambda row: shared(row["turns"], bad["turns"]))
            length = shared(good["turns"], bad["turns"])
            made.append((length, _pair(good, bad, length, recipe)))
    made.sort(key=lambda found: (not found[1].step, -found[0]))
    return [pair for _, pair in made]


def shared(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> int:
    """Turns that both begin with; the last turn of neither is counted."""
    both = zip(one[:-1], other[:-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: _said(pair[0]) == _said(pair[1]), both))


def _said(turn: dict[str, Any]) -> tuple[Any, ...]:
    call = turn["call"]
    return (turn["text"], *((call["text"], *call["image_ids"]) if call else ()))


def _pair(good: dict[str, Any], bad: dict[str, Any], length: int, recipe: Recipe) -> Pair:
    chosen, rejected = from_dict(Rollout, good), from_dict(Rollout, bad)
    opening = recipe.dialect(chosen.dialect).opening(good["question"], len(good["image_ids"]))
    told, images = conversation(chosen.turns[:length])
    sides = chosen.turns[length:], rejected.turns[length:]
    if bad["fault_turn"] == length + 1 and sides[0][0].text != sides[1][0].text:
        sides = sides[0][:1], sides[1][:1]
    said, said_images = _continued(sides[0])
    worse, worse_images = _continued(sides[1])
    ids = [chosen.rollout_id, rejected.rollout_id, *map(len, sides)]
    return Pair(
        pair_id=hashlib.sha256(to_json(ids).encode()).hexdigest(),
        sample_id=chosen.sample_id,
        dialect=chosen.dialect,
        chosen_rollout=chosen.rollout_id,
        rejected_rollout=rejected.rollout_id,
        prompt=(*opening, *told),
        chosen=said,
        rejected=worse,
        prompt_images=(*good["image_ids"], *images),
        chosen_images=said_images,
        rejected_images=worse_images,
        rejected_by=tuple(bad["rejected_by"]),
        fault_turn=bad["fault_turn"],
        step=all(len(turns) == 1 for turns in sides),
    )


def _continued(turns: Sequence[Turn]) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """The turns to the model's last word: what came back on it is nobody's preference."""
    *earlier, last = turns
    told, images = conversation(earlier)
    return (*told, Message("assistant", last.text)), images


def conversation(turns: Sequence[Turn]) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """Turns as messages, observations as user turns, and the images that came back."""
    messages: list[Message] = []
    images: list[str] = []
    for turn in turns:
        messages.append(Message("assistant", turn.text))
        if turn.call is not None:
            messages.append(Message("user", turn.call.text))
            images += turn.call.image_ids
    return tuple(messages), tuple(images)
