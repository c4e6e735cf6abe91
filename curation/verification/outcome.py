"""How a rollout ended: answered, right, without an action that failed."""

from __future__ import annotations

from curation.graders.numbers import number
from curation.verification.case import Case, Finding, calls, unscored

ERROR_TURNS = ("drop", "keep", "mask")
"""What becomes of a trajectory in which an action failed: dropped as DeepEyesV2 and Skywork-R1V4
do, kept, or kept with the failed turn left out of the loss as Pixel-Reasoner and Thyme do."""


def answered(case: Case) -> Finding:
    """The rollout ended with an answer, not at a limit or a fault."""
    return Finding(case.rollout.stop_reason == "answered", case.rollout.stop_reason)


def correct(value: float | None, explanation: str, threshold: float) -> Finding:
    """The final answer is right; what the grader could not score is not known to be."""
    if value is None:
        return unscored(explanation)
    return Finding(value > threshold, explanation)


def exact(case: Case) -> Finding:
    """A number is the accepted one itself, where the grader lets it be 5 % off as ChartQA does.

    What was misread off a clear crop teaches to misread; off a chart without labels nobody can do
    better. So this is a flag, for recipes to require.
    """
    if case.answer_kind not in ("number", "exact_number") or not case.rollout.prediction:
        return Finding(None, "no number is asked for")
    graded = number(case.rollout.prediction, case.answers, tolerance="0")
    return Finding(None if graded.value is None else graded.value > 0, graded.explanation)


def error_free(case: Case, *, error_turns: str = "drop") -> Finding:
    """No code raised and no tool complained (DeepEyesV2, section 3.3).

    `keep` and `mask` let a failed action stand when the last one went well, so that mending is
    learned, too.
    """
    made = list(calls(case.rollout))
    failed = [number for number, call in enumerate(made, start=1) if call.error is not None]
    if not failed:
        return Finding(True, "no action failed")
    first = made[failed[0] - 1]
    last = (first.error or "").strip().splitlines()[-1:] or [""]
    told = f"action {failed[0]} ({first.name}) failed: {last[0]}"
    if error_turns != "drop" and made[-1].error is None:
        return Finding(True, f"mended: {told}")
    return Finding(False, told, failed[0])
