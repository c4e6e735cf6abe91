"""Several speakers at once: each makes the attempts that are assigned to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

from curation.rollouts.conversation import Unit
from schemas import Rollout


class Rolls(Protocol):
    """Makes the attempts of a unit; those that no budget allows are missing."""

    async def roll(self, unit: Unit) -> list[Rollout]: ...


@dataclass(frozen=True, slots=True)
class Speakers:
    """Gives every attempt to who makes it: the policy, or one of the teachers."""

    members: Mapping[str, Rolls]
    """By name, as `Unit.speakers` has it."""

    async def roll(self, unit: Unit) -> list[Rollout]:
        """The unit's attempts, those of one speaker after the other in one request."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.members[name].roll(part)) for name, part in _parts(unit)
            ]
        return [rollout for task in tasks for rollout in task.result()]


def _parts(unit: Unit) -> Iterator[tuple[str, Unit]]:
    for name, attempts in groupby(unit.attempts, key=lambda attempt: unit.speakers[attempt]):
        yield name, replace(unit, attempts={each: unit.attempts[each] for each in attempts})
