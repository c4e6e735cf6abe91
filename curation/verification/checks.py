"""All checks that need neither model nor session, and how they weigh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from curation.verification.boxes import boxes
from curation.verification.case import UNSCORED, Case, Finding
from curation.verification.effect import effect
from curation.verification.form import grammar, markup, placeholders
from curation.verification.leak import leak
from curation.verification.outcome import answered, exact
from curation.verification.prose import language, length, refusal, repetition
from curation.verification.reindent import trainer_replay
from schemas import Rollout, Verification

CORRECT = "correct"

FLAGS = ("trainer_replay", "exact")
"""Checks that are recorded and speak against a trajectory only where a recipe requires them: what
they find harms one trainer and no other, or one kind of data."""

THOUGHTS = ("thought_action", "thought_answer")
"""Checks that a judge makes."""

LATER = ("support", *THOUGHTS, "near_duplicate")
"""Checks that look at a model's answers or at other trajectories; they are concluded last."""

CHECKS: Mapping[str, Callable[[Case], Finding]] = {
    check.__name__: check
    for check in (
        answered,
        grammar,
        placeholders,
        markup,
        boxes,
        effect,
        leak,
        repetition,
        length,
        language,
        refusal,
        trainer_replay,
        exact,
    )
}


def names_sql(names: Sequence[str]) -> str:
    """Names as a list in SQL."""
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"


HOLDS = f"""("check" IN {names_sql(FLAGS)}
    OR coalesce(passed, NOT starts_with(verifications.evidence, '{UNSCORED}')))"""
"""SQL over `verifications`: the check does not speak against its rollout; where it applies, its
outcome is known."""


def holds(check: str, passed: bool | None, evidence: str) -> bool:
    """What HOLDS says, of one row."""
    if check in FLAGS:
        return True
    return not evidence.startswith(UNSCORED) if passed is None else passed


def examine(case: Case) -> dict[str, Finding]:
    """Every check of CHECKS: all run, so that a rejected trajectory shows every reason.

    For one thread: Python 3.11's parser raises SystemError when two threads parse at a time
    (https://github.com/python/cpython/issues/106905).
    """
    return {name: check(case) for name, check in CHECKS.items()}


def verification(rollout: Rollout, check: str, finding: Finding) -> Verification:
    """A finding as a row."""
    return Verification(
        rollout.rollout_id, rollout.sample_id, check, finding.passed, finding.evidence, finding.turn
    )
