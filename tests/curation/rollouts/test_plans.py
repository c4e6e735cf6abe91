"""Plans of guided synthesis: their regions, and their actions in the dialects."""

from __future__ import annotations

import random

import pytest

from curation.dialects import Call, Code, get_dialect
from curation.rollouts.plans import PLANS, Region, Scene, Step, action, choose, written
from schemas import Box

SIZE = (640, 480)
EVIDENCE = Box(0, 300, 200, 340, 230)
ONE = Scene((EVIDENCE,), (SIZE,))
SUM = Scene((EVIDENCE, Box(0, 20, 20, 60, 50)), (SIZE,), "12 + 30")


def steps(name: str, scene: Scene, seed: int = 0) -> list[Step]:
    return PLANS[name](scene, random.Random(seed))


def holds(region: Region, box: Box) -> bool:
    return region.left <= box.left < box.right <= region.right and (
        region.top <= box.top < box.bottom <= region.bottom
    )


def random_scene(seed: int) -> Scene:
    """A box anywhere in an image of any size."""
    rng = random.Random(seed)
    width, height = rng.randint(40, 2000), rng.randint(40, 2000)
    left, top = rng.randrange(width - 8), rng.randrange(height - 8)
    box = Box(0, left, top, rng.randint(left + 8, width), rng.randint(top + 8, height))
    return Scene((box,), ((width, height),))


@pytest.mark.parametrize("name", ["look", "narrow", "correct"])
def test_regions_lie_in_the_image_and_end_at_the_evidence(name: str) -> None:
    suited = 0
    for seed in range(300):
        scene = random_scene(seed)
        planned = [step.region for step in steps(name, scene, seed) if step.region]
        for region in planned:
            (width, height), (left, top, right, bottom) = scene.sizes[0], region[1:]
            assert 0 <= left < right <= width and 0 <= top < bottom <= height
            assert min(right - left, bottom - top) >= min(64, width // 2, height // 2)
        if planned:
            suited += 1
            assert holds(planned[-1], scene.boxes[0])
    assert suited > 50


def test_a_narrowed_region_lies_in_the_one_before() -> None:
    wide, right = (step.region for step in steps("narrow", ONE))
    assert wide and right and holds(wide, Box(0, *right[1:]))
    assert (wide.right - wide.left) >= 2 * (right.right - right.left)


def test_a_wrong_region_shows_nothing_of_the_right_one() -> None:
    for seed in range(50):
        wrong, right = (step.region for step in steps("correct", ONE, seed))
        assert wrong and right
        apart = wrong.right <= right.left or right.right <= wrong.left
        assert apart or wrong.bottom <= right.top or right.bottom <= wrong.top


def test_a_computation_looks_at_every_operand_first() -> None:
    *looks, last = steps("compute", SUM)
    assert len(looks) == 2 and all(step.region for step in looks)
    assert action(last, "deepeyes-v2") == Code("print(12 + 30)")
    assert action(last, "deepeyes") is None


@pytest.mark.parametrize("text", ["__import__('os')", "x + 1", "'a' * 9", "1 +", "open(1)", ""])
def test_only_arithmetic_is_computed(text: str) -> None:
    assert steps("compute", Scene(SUM.boxes, SUM.sizes, text)) == []


def test_evidence_that_fills_the_image_suits_no_plan() -> None:
    scene = Scene((Box(0, 0, 0, 640, 480),), (SIZE,))
    assert all(steps(name, scene) == [] for name in PLANS)


@pytest.mark.parametrize("dialect", ["deepeyes", "deepeyes-v2"])
def test_a_written_action_is_read_back_as_it_was(dialect: str) -> None:
    for step in (*steps("narrow", ONE), *steps("compute", SUM)):
        if planned := action(step, dialect):
            text = f"<think>\nI look.\n</think>\n{written(planned)}"
            assert get_dialect(dialect).parse(text) == planned


def test_deepeyes_zooms_into_its_first_image_alone() -> None:
    region = Region(1, 0, 0, 64, 64)
    assert action(Step("", region), "deepeyes") is None
    assert action(Step("", region._replace(image=0)), "deepeyes") == Call(
        "image_zoom_in_tool", {"bbox_2d": [0, 0, 64, 64]}
    )
    shown = action(Step("", region), "deepeyes-v2")
    assert isinstance(shown, Code) and "image_2.crop((0, 0, 64, 64))" in shown.code


def test_plans_take_turns_and_one_that_does_not_suit_is_passed_over() -> None:
    def chosen(scene: Scene, turn: int, most: int = 5) -> str | None:
        rng = random.Random(0)
        return choose(tuple(PLANS), scene, rng, turn=turn, most=most, dialect="deepeyes-v2")[0]

    assert [chosen(ONE, turn) for turn in range(5)] == [
        "look",
        "narrow",
        "correct",
        "look",  # there is nothing to compute
        "look",
    ]
    assert [chosen(SUM, turn) for turn in range(4)] == ["look", "compute", "compute", "compute"]
    assert chosen(SUM, 3, most=1) is None
