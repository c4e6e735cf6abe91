"""Boxes that a trajectory looks at: inside the image, in pixels of the original, of a sane size."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from curation.dialects import Call, Code
from curation.verification.case import Case, Finding
from curation.verification.code import Names, assignments, called, calls_in, crop_box, parsed

MIN_SIDE = 8
"""Pixels: less holds no letter."""
MAX_ASPECT = 100
"""DeepEyes' environment refuses longer ones."""
_SLACK = 1
"""Pixels by which rounding may pass the edge."""

Size = tuple[float, float]


def boxes(case: Case) -> Finding:
    """Every box of a call, and every `crop` whose box and image are known without running it."""
    count = 0
    for position, box, size in viewed(case):
        count += 1
        if fault := box_fault(box, size):
            shown = ", ".join(f"{edge:g}" for edge in box)
            return Finding(False, f"turn {position + 1}: the box ({shown}) {fault}", position + 1)
    if count == 0:
        return Finding(None, "no box that can be told without running the code")
    return Finding(True, f"{count} box{'es' * (count != 1)} inside the image")


def box_fault(box: tuple[float, ...], size: Size) -> str | None:
    """What is wrong with a box as left, top, right, bottom in an image of this size."""
    if len(box) != 4 or not all(map(math.isfinite, box)):
        return "is no box: four numbers are wanted"
    left, top, right, bottom = box
    if left >= right or top >= bottom:
        return "holds no pixel: left, top, right, bottom is the order"
    if max(box) <= 1:
        return "is in shares of the image, and pixels of the original are wanted"
    width, height = size
    if left < -_SLACK or top < -_SLACK or right > width + _SLACK or bottom > height + _SLACK:
        return f"leaves the {width:g} by {height:g} image"
    sides = right - left, bottom - top
    if min(sides) < MIN_SIDE or max(sides) > MAX_ASPECT * min(sides):
        return f"is {sides[0]:g} by {sides[1]:g} pixels"
    return None


def viewed(case: Case) -> Iterator[tuple[int, tuple[float, ...], Size]]:
    """Turn, box and size of the image that it is a box of; what failed is judged elsewhere."""
    sizes = dict(_sizes(case))
    names = Names(sizes={f"image_{number}": size for number, size in sizes.items()})
    for position, action, call in case.executed:
        if isinstance(action, Code) and (tree := parsed(action.code)):
            found = [*_crops(tree, names)]
            if call.error is None:
                yield from ((position, box, size) for box, size in found)
        elif isinstance(action, Call) and call.error is None and 1 in sizes:
            box = action.arguments.get("bbox_2d")
            if isinstance(box, list) and all(isinstance(edge, int | float) for edge in box):
                yield position, tuple(box), sizes[1]


def _sizes(case: Case) -> Iterator[tuple[int, Size]]:
    for number, image_id in enumerate(case.image_ids, start=1):
        if look := case.gallery.seen(image_id):
            yield number, look.size


def _crops(tree: ast.Module, names: Names) -> Iterator[tuple[tuple[float, ...], Size]]:
    """Constant boxes of `crop`, with the size of what they are cut from, in order."""
    for statement in tree.body:
        for call in calls_in(statement):
            if called(call) != "crop" or not isinstance(call.func, ast.Attribute):
                continue
            box, size = crop_box(call, names), names.size(call.func.value)
            number = names.input(call.func.value)
            if size is None and number is not None:
                size = names.sizes.get(f"image_{number}")
            if box is not None and size is not None:
                yield box, size
        for name, value in assignments(statement):
            names.learn(name, value)
