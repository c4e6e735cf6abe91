"""Which grader decides which kind of answer, and what rules say before any judge is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.graders import JUDGE, Grade, grade
from curation.graders.base import abstain


@dataclass(frozen=True, slots=True)
class Graders:
    """A recipe's graders."""

    assigned: Mapping[str, str]
    """Answer kind to grader, where that is not the kind's own."""
    only: str | None = None
    """Decides every kind instead."""

    def of(self, kind: str) -> str:
        return self.only or self.assigned.get(kind, kind)

    def grade(
        self, prediction: str | None, answers: Sequence[str], kind: str, choices: Sequence[str]
    ) -> Grade:
        """By rules; of what is left to the judge, only that it is an accepted answer verbatim."""
        grader = self.of(kind)
        if grader != JUDGE:
            return grade(prediction, answers, kind=grader, choices=choices)
        found = grade(prediction, answers, kind="text", choices=choices)
        return abstain("left to the judge", found.extracted) if found.value == 0 else found
