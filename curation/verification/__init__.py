"""Checks of a teacher's rollout; every one states what it saw, and all of them are recorded.

A rollout becomes a trajectory when no check failed and the answer is known to be correct. A check
is a function from a `Case` to a `Finding`; a family of them is a file. `replay` needs a session,
`support` and `agreement` a model, `near_duplicates` the other trajectories; all others need the
trajectory alone.
"""

from curation.verification.case import Case, Finding, Gallery, calls, unscored
from curation.verification.checks import (
    CHECKS,
    CORRECT,
    FLAGS,
    HOLDS,
    LATER,
    THOUGHTS,
    examine,
    holds,
    names_sql,
    verification,
)
from curation.verification.outcome import ERROR_TURNS, correct, error_free
from curation.verification.replay import replay

__all__ = [
    "CHECKS",
    "CORRECT",
    "ERROR_TURNS",
    "FLAGS",
    "HOLDS",
    "LATER",
    "THOUGHTS",
    "Case",
    "Finding",
    "Gallery",
    "calls",
    "correct",
    "error_free",
    "examine",
    "holds",
    "names_sql",
    "replay",
    "unscored",
    "verification",
]
