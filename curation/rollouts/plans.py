"""Plans of guided synthesis: what to do at a sample whose source knows where the answer stands.

Free teachers often answer past their own observations; where the evidence is known a template can
lead them to it (Pixel-Reasoner, arXiv 2505.15966, section 4). A plan chooses the first actions and
nothing else: they are run for real, and a model that sees what came back writes every word.

A plan is a function of a scene and of random numbers; it gives no steps where it does not suit.
"""

from __future__ import annotations

import ast
import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from curation.dialects import Call, Code
from schemas import Box

GUIDED_DIALECTS = ("deepeyes", "deepeyes-v2")
"""Dialects that a planned action can be written in: text that holds it after the thought."""
_MARGIN = 0.1
"""Shown around the evidence, as a share of its sides (Pixel-Reasoner pads as much)."""
_LEAST = 64
"""Pixels: the shortest side of a region (Thyme, arXiv 2508.11630), or half of the image's."""
_WIDE = 3.0
"""Sides of a region that is too wide, over those of the right one."""
_MOST = 0.8
"""Largest share of an image that a region may be: more is the image again."""
_TRIES = 32


class Region(NamedTuple):
    """A rectangle in pixels of one of the question's images, right and bottom exclusive."""

    image: int
    """From 0."""
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Step:
    """One planned action: a region to look at, or else a computation."""

    purpose: str
    """Why it is taken, told to the model that writes the thought."""
    region: Region | None = None
    expression: str = ""
    """Python arithmetic over what was read."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a source knows about a sample."""

    boxes: tuple[Box, ...]
    """Where the answer stands; of a computation, where its operands do."""
    sizes: tuple[tuple[int, int], ...]
    """Width and height of the question's images."""
    computation: str = ""
    """Python arithmetic that gives the answer from what is read: `computation` of the sample's
    metadata."""


Plan = Callable[[Scene, random.Random], list[Step]]


def look(scene: Scene, rng: random.Random) -> list[Step]:
    """Look at the evidence, one place after the other."""
    return [Step("It shows what the question asks about.", region) for region in _regions(scene)]


def narrow(scene: Scene, rng: random.Random) -> list[Step]:
    """Look at too wide a region first, then at the evidence in it (Thyme: further enhancement)."""
    right = _only(scene)
    if right is None:
        return []
    wide = _wider(right, scene.sizes[right.image], rng)
    if _area(wide) < 2 * _area(right) or _share(wide, scene) > _MOST:
        return []
    return [
        Step("What the question asks about lies in this region, still small.", wide),
        Step("The region before was too wide; this part of it shows what is asked about.", right),
    ]


def correct(scene: Scene, rng: random.Random) -> list[Step]:
    """Look at a wrong region first, see that it is, then look at the evidence (Pixel-Reasoner:
    error-induced self-correction; Thyme: error correction)."""
    right = _only(scene)
    wrong = right and _elsewhere(right, scene.sizes[right.image], rng)
    if right is None or wrong is None:
        return []
    return [
        Step("It is where you take it to be at first.", wrong),
        Step("The region before does not show what is asked about; this one does.", right),
    ]


def compute(scene: Scene, rng: random.Random) -> list[Step]:
    """Look at the values, then compute with them."""
    if not scene.computation or not _is_arithmetic(scene.computation):
        return []
    read = [Step("It shows a value that the question needs.", each) for each in _regions(scene)]
    told = Step("It computes what is asked for from the values read.", None, scene.computation)
    return [*read, told] if read else []


PLANS: Mapping[str, Plan] = {plan.__name__: plan for plan in (look, narrow, correct, compute)}

MISLED = (narrow.__name__, correct.__name__)
"""Plans whose first step is wrong on purpose."""


def choose(
    names: Sequence[str], scene: Scene, rng: random.Random, *, turn: int, most: int, dialect: str
) -> tuple[str | None, list[Step]]:
    """The plan whose turn it is, or the next one that suits; None where none does.

    Args:
        turn: plans take turns with it.
        most: steps that leave a turn for the answer.
        dialect: one of GUIDED_DIALECTS.
    """
    for i in range(len(names)):
        name = names[(turn + i) % len(names)]
        steps = PLANS[name](scene, rng)
        if 0 < len(steps) <= most and all(action(step, dialect) for step in steps):
            return name, steps
    return None, []


def action(step: Step, dialect: str) -> Code | Call | None:
    """A step as the action of one of GUIDED_DIALECTS; None where it has none, as DeepEyes for
    code."""
    region = step.region
    if dialect == "deepeyes":
        if region is None or region.image:
            return None
        return Call("image_zoom_in_tool", {"bbox_2d": list(region[1:])})
    if region is None:
        return Code(f"print({step.expression})")
    source = f"image_{region.image + 1}.crop({tuple(region[1:])})"
    return Code(f'crop = {source}\nplt.imshow(crop)\nplt.axis("off")\nplt.show()')


def written(action: Code | Call) -> str:
    """An action as it stands in a turn."""
    if isinstance(action, Code):
        return f"<code>\n```python\n{action.code}\n```\n</code>"
    call = json.dumps({"name": action.name, "arguments": action.arguments}, ensure_ascii=False)
    return f"<tool_call>\n{call}\n</tool_call>"


NOTE = """

(A note about your next step alone, which nobody else will see. You take this step:
{action}
{purpose} Write the thought that leads to it, in one to three sentences of your own, inside \
<think> </think>, and nothing else: what the question asks for, what you have seen so far, and why \
you take this step. Name no value that you have not seen, and do not speak of this note.)"""

NOTE_MARK = hashlib.sha256(NOTE.encode()).hexdigest()[:12]


def _regions(scene: Scene) -> Iterator[Region]:
    """The evidence with its margin; of boxes that a region before shows, none of their own."""
    seen: list[Region] = []
    for box in scene.boxes:
        if box.image < len(scene.sizes) and not any(_holds(region, box) for region in seen):
            region = _around(box, scene.sizes[box.image])
            if _share(region, scene) <= _MOST:
                seen.append(region)
                yield region


def _only(scene: Scene) -> Region | None:
    """The region of the evidence where it is in one place."""
    regions = list(_regions(scene))
    return regions[0] if len(regions) == 1 else None


def _around(box: Box, size: tuple[int, int]) -> Region:
    left, right = _span(box.left, box.right, size[0])
    top, bottom = _span(box.top, box.bottom, size[1])
    return Region(box.image, left, top, right, bottom)


def _span(start: int, end: int, limit: int) -> tuple[int, int]:
    """A span with its margins, no shorter than a region may be, inside 0 to `limit`."""
    least = min(_LEAST, limit // 2)
    length = min(max(round((end - start) * (1 + 2 * _MARGIN)), least), limit)
    first = max(0, min(round((start + end - length) / 2), limit - length))
    return first, first + length


def _wider(region: Region, size: tuple[int, int], rng: random.Random) -> Region:
    """A larger region that holds this one somewhere."""
    edges: list[int] = []
    for start, end, limit in zip(region[1:3], region[3:], size, strict=True):
        length = min(round((end - start) * _WIDE), limit)
        first = rng.randint(max(0, end - length), min(start, limit - length))
        edges += [first, first + length]
    return Region(region.image, edges[0], edges[2], edges[1], edges[3])


def _elsewhere(region: Region, size: tuple[int, int], rng: random.Random) -> Region | None:
    """A region of this size that shares no pixel with it, where there is room for one: of some at
    random the nearest, since that is what one mistakes for it, and seldom blank."""
    wide, high = region.right - region.left, region.bottom - region.top
    corners = [
        (rng.randint(0, size[0] - wide), rng.randint(0, size[1] - high)) for _ in range(_TRIES)
    ]
    away = [(abs(left - region.left), abs(top - region.top)) for left, top in corners]
    apart = [i for i, (x, y) in enumerate(away) if x >= wide or y >= high]
    if not apart:
        return None
    left, top = corners[min(apart, key=lambda i: sum(away[i]))]
    return Region(region.image, left, top, left + wide, top + high)


def _holds(region: Region, box: Box) -> bool:
    inside = region.left <= box.left and box.right <= region.right
    return (
        inside
        and region.top <= box.top
        and box.bottom <= region.bottom
        and (region.image == box.image)
    )


def _area(region: Region) -> int:
    return (region.right - region.left) * (region.bottom - region.top)


def _share(region: Region, scene: Scene) -> float:
    width, height = scene.sizes[region.image]
    return _area(region) / (width * height)


_ARITHMETIC = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.operator,
    ast.unaryop,
    ast.Call,
    ast.Load,
    ast.List,
    ast.Tuple,
)
_FUNCTIONS = {"round", "sum", "min", "max", "abs", "len"}


def _is_arithmetic(expression: str) -> bool:
    """Numbers, operators and what Python counts with: a source's metadata runs nothing else."""
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return all(map(_counts, ast.walk(tree)))


def _counts(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name):
            return name in _FUNCTIONS
        case ast.Constant(value=value):
            return isinstance(value, int | float)
    return isinstance(node, _ARITHMETIC)
