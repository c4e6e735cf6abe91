"""What a placebo shows instead of what the tools gave."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from curation.dialects import Call, Code, get_dialect
from curation.rollouts.actions import Bench, Kernel
from curation.rollouts.placebo import KINDS
from curation.sandbox import CellResult
from curation.tools import Workspace, toolbox
from tests.curation.scene import picture

ORIGINAL = picture(1, side=200)
ZOOM = Call("image_zoom_in_tool", {"bbox_2d": [10, 20, 110, 70]})


class Printing(Kernel):
    """An interpreter that prints the answer and shows two images."""

    def __init__(self) -> None:
        self.lost, self.cells = False, 0

    async def run(self, code: str) -> CellResult:
        shown = (picture(2, side=40), picture(3, side=400))
        return CellResult("the answer is 3", "", None, shown, "ok", 0.0)


def bench(kind: type[Bench]) -> Bench:
    return kind(Printing(), toolbox("deepeyes"), Workspace([ORIGINAL]))


def sizes(images: tuple[bytes, ...]) -> list[tuple[int, int]]:
    return [Image.open(io.BytesIO(image)).size for image in images]


def extremes(image: bytes) -> Any:
    return Image.open(io.BytesIO(image)).convert("L").getextrema()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("blank", [(40, 40), (400, 400)]),
        ("original", [(200, 200), (200, 200)]),
        ("random_crop", [(40, 40), (200, 200)]),
        ("empty", []),
    ],
)
async def test_printed_text_and_images_are_replaced(
    kind: str, expected: list[tuple[int, int]]
) -> None:
    effect = await bench(KINDS[kind]).act(Code("print(3)"))
    assert effect.observed.stdout == ""
    assert effect.observed.images == len(effect.images)
    assert sizes(effect.images) == expected
    text = get_dialect("deepeyes-v2").observation(effect.observed)
    assert text.count("<image>") == len(expected) and "answer" not in text


async def test_a_tools_answer_keeps_its_place_and_loses_its_content() -> None:
    real = await bench(Bench).act(ZOOM)
    effect = await bench(KINDS["random_crop"]).act(ZOOM)
    again = await bench(KINDS["random_crop"]).act(ZOOM)
    assert sizes(effect.images) == sizes(real.images)
    assert effect.images != real.images and effect.images == again.images
    assert extremes((await bench(KINDS["blank"]).act(ZOOM)).images[0]) == (255, 255)
    assert (await bench(KINDS["original"]).act(ZOOM)).images == (ORIGINAL,)
    assert (await bench(KINDS["empty"]).act(ZOOM)).observed.answer == ""


async def test_a_complaint_stays() -> None:
    effect = await bench(KINDS["empty"]).act(Call("image_zoom_in_tool", {}))
    assert effect.observed.error and "bbox_2d" in effect.observed.error
