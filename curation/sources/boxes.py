"""Evidence boxes as data sets write them, in pixels of the image."""

from __future__ import annotations

import math

from curation.images import BadImageError, identify
from curation.sources.faults import RowFault
from schemas import Box

BOX_FORMATS = ("xyxy", "xywh")
BOX_SCALES = ("pixels", "relative")


def read_boxes(value: object, image: bytes, box_format: str, box_scale: str) -> tuple[Box, ...]:
    """One box, a list of boxes or none at all, all of them in the row's first image.

    `box_format` is xyxy (left, top, right, bottom) or xywh (left, top, width, height); `box_scale`
    is pixels or relative, that is fractions of width and height from 0 to 1. Boxes are widened to
    whole pixels and cut off at the border of the image. Raises `RowFault` for anything else.
    """
    if value is None or value == []:
        return ()
    boxes = value if isinstance(value, list) and isinstance(value[0], list) else [value]
    try:
        frame = identify(image)
    except BadImageError as error:
        raise RowFault(error.fault, f"the image with the boxes: {error}") from error
    return tuple(_box(box, frame.width, frame.height, box_format, box_scale) for box in boxes)


def _box(value: object, width: int, height: int, box_format: str, box_scale: str) -> Box:
    numbers = _four_numbers(value)
    if box_format == "xywh":
        left, top, wide, high = numbers
        numbers = [left, top, left + wide, top + high]
    # A tolerance for rounding; what is further out was not written as fractions.
    fractions = all(-0.01 <= number <= 1.01 for number in numbers)
    if fractions != (box_scale == "relative"):
        raise RowFault(
            "box_scale",
            f"the box {value} does not look like one in {box_scale} coordinates; "
            "set box_scale to pixels or relative as the data has it",
        )
    if fractions:
        numbers = [number * side for number, side in zip(numbers, (width, height) * 2, strict=True)]
    # 0.29 * 100 is 28.999999999999996: rounding first keeps a whole pixel whole.
    numbers = [round(number, 6) for number in numbers]
    left, top = (max(0, math.floor(number)) for number in numbers[:2])
    right, bottom = min(width, math.ceil(numbers[2])), min(height, math.ceil(numbers[3]))
    if left >= right or top >= bottom:
        raise RowFault(
            "bad_box",
            f"the box {value} holds nothing of the image ({width} x {height}); "
            f"check the box, or box_format = {box_format!r}",
        )
    return Box(image=0, left=left, top=top, right=right, bottom=bottom)


def _four_numbers(value: object) -> list[float]:
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 4 or not all(
        isinstance(number, int | float) and math.isfinite(number) for number in numbers
    ):
        raise RowFault(
            "bad_box", f"the box {str(value)[:80]} is not four numbers; give four, or none"
        )
    return [float(number) for number in numbers]
