"""Zooming and rotating by DeepEyes v1's rules."""

from __future__ import annotations

import io
import math

import pytest
from PIL import Image

from curation.errors import ToolError
from curation.tools import Workspace, rotate, zoom
from curation.tools.image import grow


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.fixture
def original() -> Image.Image:
    """200 by 100 pixels, every one of another colour."""
    image = Image.new("RGB", (200, 100))
    image.putdata([(x, y, 7) for y in range(100) for x in range(200)])
    return image


@pytest.fixture
def workspace(original: Image.Image) -> Workspace:
    return Workspace([encoded(original), encoded(Image.new("RGB", (9, 9)))])


def shown(workspace: Workspace, box: list[float], **settings: float) -> Image.Image:
    (image,) = zoom(workspace, box, **settings).images  # type: ignore[arg-type]
    return Image.open(io.BytesIO(image))


@pytest.mark.parametrize(
    ("box", "crop"),
    [
        ([10, 20, 100, 80], (10, 20, 100, 80)),
        ([10.4, 20.6, 99.5, 80.4], (10, 21, 100, 80)),
        ([-50, -1e300, 60, 50], (0, 0, 60, 50)),
        ([150, 60, 10**9, 10**9], (150, 60, 200, 100)),
        ([0, 0, 200, 100], (0, 0, 200, 100)),
        ([0, 0, 31, 31], (0, 0, 31, 31)),
    ],
)
def test_zoom_crops_the_original(
    workspace: Workspace, original: Image.Image, box: list[float], crop: tuple[int, ...]
) -> None:
    assert shown(workspace, box).tobytes() == original.crop(crop).tobytes()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([100, 20, 10, 80], "no pixel"),
        ([300, 20, 400, 80], "no pixel"),
        ([10, 20, 10, 80], "no pixel"),
        ([0, 0, 30, 90], "30 pixels or less"),
        ([180, 0, 400, 90], "30 pixels or less"),
        ([0, 0, 90], "four numbers"),
        ([0, 0, 90, 90, 90], "four numbers"),
        ("0, 0, 90, 90", "four numbers"),
        ([0, 0, "90", 90], "four numbers"),
        ([0, 0, True, 90], "four numbers"),
        ([0, 0, math.nan, 90], "four numbers"),
        ([0, 0, math.inf, 90], "four numbers"),
        ([0, 0, 10**400, 90], "four numbers"),
        (None, "four numbers"),
    ],
)
def test_zoom_refuses(workspace: Workspace, box: list[float], reason: str) -> None:
    with pytest.raises(ToolError, match=f"^ZOOM IN ARGUMENTS ARE INVALID: .*{reason}"):
        zoom(workspace, box)


def test_zoom_refuses_strips(workspace: Workspace) -> None:
    with pytest.raises(ToolError, match="over 5 times"):
        zoom(workspace, [0, 0, 200, 35], max_aspect=5)


def test_small_boxes_grow_where_they_are_allowed(
    workspace: Workspace, original: Image.Image
) -> None:
    crop = shown(workspace, [100, 50, 110, 70], refused_side=0)
    assert crop.tobytes() == original.crop((91, 32, 119, 88)).tobytes()


@pytest.mark.parametrize(
    ("box", "grown"),
    [
        ((100, 50, 110, 60), (91, 41, 119, 69)),
        ((0, 0, 4, 4), (0, 0, 28, 28)),
        ((198, 98, 200, 100), (172, 72, 200, 100)),
        ((0, 0, 200, 50), (0, 0, 200, 50)),
        ((0, 50, 200, 60), (0, 41, 200, 69)),
    ],
)
def test_grown_boxes_stay_inside(box: tuple[int, ...], grown: tuple[int, ...]) -> None:
    assert grow(box, 200, 100) == grown  # type: ignore[arg-type]


@pytest.mark.parametrize(("mode", "kind"), [("L", "PNG"), ("P", "PNG"), ("CMYK", "JPEG")])
def test_zoom_gives_rgb_of_any_mode(mode: str, kind: str) -> None:
    workspace = Workspace([encoded(Image.new(mode, (50, 50)), kind)])
    assert shown(workspace, [0, 0, 40, 40]).mode == "RGB"


def test_transparent_pixels_are_white() -> None:
    workspace = Workspace([encoded(Image.new("RGBA", (50, 50), (0, 0, 0, 0)))])
    assert shown(workspace, [0, 0, 40, 40]).getpixel((5, 5)) == (255, 255, 255)


def test_rotate_turns_counter_clockwise(workspace: Workspace, original: Image.Image) -> None:
    (image,) = rotate(workspace, 180).images
    turned = Image.open(io.BytesIO(image))
    assert turned.size == original.size
    assert turned.getpixel((0, 0)) == original.getpixel((199, 99))


@pytest.mark.parametrize("angle", ["90", None, math.nan, True])
def test_rotate_refuses(workspace: Workspace, angle: float) -> None:
    with pytest.raises(ToolError, match="number of degrees"):
        rotate(workspace, angle)


def test_questions_without_images() -> None:
    with pytest.raises(ToolError, match="no image"):
        zoom(Workspace(), [0, 0, 50, 50])
