"""Rejection sampling: attempts at a sample end when enough of them could become trajectories.

The checks that need no model are run as soon as a rollout is there, to tell whether another one is
needed; the verify stage runs them once more and writes what they find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curation.recipes.recipe import Teach
from curation.stages.draw import Owed
from curation.stages.verify import Verifier
from curation.verification import HOLDS, LATER, calls, holds, names_sql
from schemas import Rollout


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Whether rollouts could become trajectories, for `Draw`."""

    verifier: Verifier
    teach: Teach

    async def values(self, owed: Owed, rollouts: Sequence[Rollout]) -> list[float | None]:
        """1 where nothing speaks against a rollout, 0 where something does; null for a request
        that failed."""
        return [await self._value(owed, rollout) for rollout in rollouts]

    async def _value(self, owed: Owed, rollout: Rollout) -> float | None:
        if rollout.stop_reason == "model_error":
            return None
        grade = owed.grade(rollout)
        row = {**owed.row, "value": grade.value, "explanation": grade.explanation}
        found = await self.verifier.findings(rollout, row)
        sound = all(
            holds(each.check, each.passed, each.evidence)
            and not (each.check in self.teach.require and each.passed is False)
            for each in found
        )
        return float(sound and len(list(calls(rollout))) >= self.teach.min_tool_calls)


def drawn_sql(arm: str, n: int, teach: Teach) -> str:
    """SQL: the verified attempts of an arm, by sample, as rules count them."""
    tools = "len(list_filter(turns, lambda turn: turn.call IS NOT NULL))"
    verified = f"sound AND {tools} >= {teach.min_tool_calls}"
    return f"""
        SELECT rollouts.sample_id,
               count(*) FILTER ({verified}) AS drawn_right,
               count(*) FILTER (NOT ({verified})) AS drawn_wrong, 0 AS drawn_unscored
        FROM rollouts JOIN (
            SELECT rollout_id, bool_and({HOLDS} AND NOT (
                "check" IN {names_sql((*teach.require, ""))} AND coalesce(NOT passed, false)
            )) AS sound
            FROM verifications WHERE "check" NOT IN {names_sql(LATER)} GROUP BY rollout_id
        ) USING (rollout_id)
        WHERE arm = '{arm}' AND attempt < {n} GROUP BY ALL
    """
