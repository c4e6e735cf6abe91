"""The image tools of DeepEyes v1 (environment `visual_toolbox_v2`), by its published rules.

Every call works on the original of the question's first image, in its own pixels, whatever was
cropped before and however small the model saw it.
"""

from __future__ import annotations

import io
import math

from PIL import Image

from curation.errors import ToolError
from curation.sandbox.encode import png
from curation.sandbox.jail.pixels import to_rgb
from curation.tools.base import ToolResult, Workspace

INVALID_BOX = "ZOOM IN ARGUMENTS ARE INVALID"
"""What v1's environment answers; ours goes on with the reason."""
SMALLEST_CROP = 28
"""Pixels: one merged patch of Qwen2.5-VL, less than which its processor refuses."""


def zoom(
    workspace: Workspace,
    bbox_2d: list[float],
    label: str = "",
    *,
    refused_side: int = 30,
    max_aspect: float = 100,
) -> ToolResult:
    """Zoom in on a region of the image: crop it to a bounding box.

    max_aspect: a box with one side longer than so many times the other is refused

    The box is clamped to the image. A side of `refused_side` pixels or less is refused, as v1
    does, so that its rule of growing boxes to 28 pixels about their centre only ever shows with
    a lower `refused_side`.

    Args:
        bbox_2d: The region as [x1, y1, x2, y2] in pixels of the image: left, top, right, bottom.
        label: What is to be seen in the region (optional).
    """
    image = first_image(workspace)
    left, top, right, bottom = clamp(_numbers(bbox_2d), *image.size)
    width, height = right - left, bottom - top
    if width <= 0 or height <= 0:
        raise ToolError(f"{INVALID_BOX}: the box holds no pixel of the {_size(image)} image")
    if min(width, height) <= refused_side:
        raise ToolError(f"{INVALID_BOX}: a side of the box has {refused_side} pixels or less")
    if max(width, height) / min(width, height) > max_aspect:
        raise ToolError(f"{INVALID_BOX}: one side is over {max_aspect:g} times the other")
    box = grow((left, top, right, bottom), *image.size)
    return ToolResult(images=(png(to_rgb(image.crop(box))),))


def rotate(workspace: Workspace, angle: float) -> ToolResult:
    """Rotate the image about its centre; the size stays and the corners are cut.

    Args:
        angle: Degrees, counter-clockwise.
    """
    if not _is_number(angle):
        raise ToolError(f"the angle must be a number of degrees, not {angle!r}")
    return ToolResult(images=(png(to_rgb(first_image(workspace)).rotate(angle)),))


def first_image(workspace: Workspace) -> Image.Image:
    """The original of the question's first image; raises ToolError when there is none."""
    if not workspace.images:
        raise ToolError("this question has no image")
    return Image.open(io.BytesIO(workspace.images[0]))


def clamp(box: list[float], width: int, height: int) -> tuple[float, float, float, float]:
    """The part of the box that lies in the image."""
    left, top, right, bottom = box
    return max(0, left), max(0, top), min(width, right), min(height, bottom)


def grow(
    box: tuple[float, float, float, float], width: int, height: int
) -> tuple[float, float, float, float]:
    """A box with a side under 28 pixels, scaled about its centre until both have 28.

    What would reach over the image's edge is moved inside, where v1 pads with black.
    """
    left, top, right, bottom = box
    ratio = SMALLEST_CROP / min(right - left, bottom - top)
    if ratio <= 1:
        return box
    x = _span((left + right) / 2, math.ceil((right - left) * ratio / 2), width)
    y = _span((top + bottom) / 2, math.ceil((bottom - top) * ratio / 2), height)
    return x[0], y[0], x[1], y[1]


def _span(centre: float, half: int, length: int) -> tuple[float, float]:
    start = max(0, min(math.floor(centre - half), length - 2 * half))
    return start, min(length, start + 2 * half)


def _numbers(box: object) -> list[float]:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise ToolError(f"{INVALID_BOX}: bbox_2d must be four numbers [x1, y1, x2, y2]")
    return [float(each) for each in box]


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond what a float can hold
        return False


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"
