"""Checks of a teacher's rollout; every one states what it saw, and all of them are recorded.

A rollout becomes a trajectory when no check failed and the answer is known to be correct.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curation.actions import Bench
from curation.dialects import Answer, Call, Code, Dialect, Fault
from curation.dialects.base import IMAGE
from curation.images import identify
from schemas import Rollout, ToolCall, Verification

CORRECT = "correct"
"""The one check that must pass; of the others it is enough that they do not fail."""

HOLDS = f"""coalesce(passed, "check" <> '{CORRECT}')"""
"""SQL over `verifications`: the check speaks for its rollout."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a check passed, null when it does not apply, and what was seen."""

    passed: bool | None
    evidence: str


def calls(rollout: Rollout) -> Iterator[ToolCall]:
    """The executed actions, in order."""
    return (turn.call for turn in rollout.turns if turn.call is not None)


def correct(value: float | None, explanation: str, threshold: float) -> Finding:
    """The final answer is right; what the grader could not score is not known to be."""
    if value is None:
        return Finding(None, f"unscored: {explanation}")
    return Finding(value > threshold, explanation)


def error_free(rollout: Rollout) -> Finding:
    """No code raised and no tool complained (DeepEyesV2, section 3.3)."""
    for number, call in enumerate(calls(rollout), start=1):
        if call.error is not None:
            last = call.error.strip().splitlines()[-1:] or [""]
            return Finding(False, f"action {number} ({call.name}) failed: {last[0]}")
    return Finding(True, "no action failed")


def grammar(rollout: Rollout, dialect: Dialect) -> Finding:
    """Every turn parses to one action and only the last answers; placeholders are in step."""
    for number, turn in enumerate(rollout.turns, start=1):
        action = dialect.parse(turn.text)
        if isinstance(action, Fault):
            return Finding(False, f"turn {number} does not parse: {action.reason}")
        if isinstance(action, Answer) != (number == len(rollout.turns)):
            return Finding(False, f"turn {number} of {len(rollout.turns)} is out of place")
        if IMAGE in turn.text:
            return Finding(False, f"turn {number} holds a literal {IMAGE}")
        if turn.call and turn.call.text.count(IMAGE) != len(turn.call.image_ids):
            return Finding(False, f"turn {number} observes other images than it names")
    return Finding(bool(rollout.turns), f"{len(rollout.turns)} turns parse")


async def replay(rollout: Rollout, dialect: Dialect, bench: Bench) -> Finding:
    """Run again in a fresh session, every action gives what it gave: same text, same images."""
    count = 0
    for turn in rollout.turns:
        action = dialect.parse(turn.text)
        if turn.call is None or not isinstance(action, Code | Call):
            continue
        count += 1
        effect = await bench.act(action)
        if (effect.said, effect.error) != (turn.call.stdout, turn.call.error):
            return Finding(False, f"action {count} printed something else when run again")
        if tuple(identify(image).image_id for image in effect.images) != turn.call.image_ids:
            return Finding(False, f"action {count} showed other images when run again")
    if count == 0:
        return Finding(None, "nothing to run")
    return Finding(True, f"{count} action{'s' * (count != 1)} gave the same again")


def verification(rollout: Rollout, check: str, finding: Finding) -> Verification:
    """A finding as a row."""
    return Verification(
        rollout.rollout_id, rollout.sample_id, check, finding.passed, finding.evidence
    )
