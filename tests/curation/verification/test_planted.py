"""Every planted fault is caught by the check it belongs to, and good trajectories pass them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from curation.graders import grade
from curation.images import ImageStore
from curation.rollouts.actions import Workbench
from curation.sandbox import Limits, Sandbox
from curation.stages.count import RIGHT
from curation.tools import toolbox
from curation.verification import (
    CHECKS,
    CORRECT,
    Finding,
    Gallery,
    correct,
    error_free,
    examine,
    holds,
    replay,
)
from curation.verification.duplicates import Kept
from tests.curation.verification.planted import PLANTS, planted
from tests.curation.verification.teacher import Real, taught

GOOD = 48
"""With code; a third as many zoom."""
EACH = 20

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class World:
    sandbox: Sandbox
    store: ImageStore
    gallery: Gallery
    reals: list[Real]

    async def findings(self, real: Real) -> dict[str, Finding]:
        """Everything that the pipeline finds about one trajectory."""
        case, sample = real.case(self.gallery), real.sample
        graded = grade(real.rollout.prediction, sample.answers, kind=sample.answer_kind)
        found = {
            CORRECT: correct(graded.value, graded.explanation, RIGHT),
            "error_free": error_free(case),
            **examine(case),
        }
        workbench = Workbench(self.sandbox, toolbox(real.rollout.dialect))
        async with workbench.bench([real.image], real.rollout.seed) as bench:
            found["replay"] = await replay(case, bench)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("images")
    async with Sandbox(Limits(cell_seconds=120)) as sandbox:
        store = ImageStore(folder)
        yield World(sandbox, store, Gallery(store.read), await taught(folder, sandbox, GOOD))


async def test_the_planted_set_is_as_large_as_promised(world: World) -> None:
    assert len(world.reals) >= 60 and len(world.reals) + EACH * len(PLANTS) >= 300
    assert set(PLANTS) == {*CHECKS, CORRECT, "error_free", "replay", "near_duplicate"}


async def test_good_trajectories_pass(world: World) -> None:
    against: Counter[str] = Counter()
    for real in world.reals:
        found = await world.findings(real)
        against.update(
            name for name, each in found.items() if not holds(name, each.passed, each.evidence)
        )
    assert sum(against.values()) <= 0.02 * len(world.reals), against


@pytest.mark.parametrize("check", [name for name in PLANTS if name != "near_duplicate"])
async def test_every_fault_is_caught_by_its_check(world: World, check: str) -> None:
    for real in planted(check, world.reals, world.store, EACH):
        finding = await _found(world, real, check)
        assert finding.passed is False, (finding.evidence, [t.text for t in real.rollout.turns])
        assert finding.evidence


async def _found(world: World, real: Real, check: str) -> Finding:
    """One finding; only replay needs a session."""
    if check in CHECKS:
        return CHECKS[check](real.case(world.gallery))
    return (await world.findings(real))[check]


async def test_near_duplicates_are_caught_and_others_are_not(world: World) -> None:
    copies = planted("near_duplicate", world.reals, world.store, EACH)
    for real, copy in zip(world.reals, copies, strict=False):
        kept = Kept()
        assert kept.near_duplicate(real.case(world.gallery)).passed
        assert kept.near_duplicate(copy.case(world.gallery)).passed is False
    for one, other in zip(world.reals, world.reals[1:], strict=False):
        kept = Kept()
        assert kept.near_duplicate(one.case(world.gallery)).passed
        assert kept.near_duplicate(other.case(world.gallery)).passed


async def test_a_rejected_trajectory_shows_every_reason(world: World) -> None:
    (wrong,) = planted("correct", world.reals[:1], world.store, 1)
    (both,) = planted("markup", [wrong], world.store, 1)
    found = await world.findings(both)
    assert {name for name, each in found.items() if each.passed is False} == {
        CORRECT,
        "exact",
        "markup",
    }
    assert found["replay"].passed
