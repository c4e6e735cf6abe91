"""What the model is taught: conversations about drawn pages in every mode that it has to master.

Direct: one turn with the answer, on whole pages, on crops and on easy-VQA pictures. With tools:
look closer by cropping (DeepEyesV2's python or DeepEyes' zoom call), then answer from the crop;
compute with python what has to be computed; answer at once what needs no closer look.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image

from curation.dialects import Observed, get_dialect
from curation.sources.drawn import Page, Question
from schemas import Box, Message

REGION = (CROP_WIDTH, CROP_HEIGHT) = (240, 120)
"""Size of the region that the model is taught to look at, pixels of the original."""
_GRID = 20
"""Corners of taught regions are multiples of this many pixels: fewer digits to learn."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A conversation whose assistant turns are learned, with its images in placeholder order."""

    messages: tuple[Message, ...]
    images: tuple[Image.Image, ...]


def region(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The region around an evidence box that is worth a closer look: left, top, right, bottom."""
    left = _corner((box.left + box.right - CROP_WIDTH) / 2, size[0] - CROP_WIDTH)
    top = _corner((box.top + box.bottom - CROP_HEIGHT) / 2, size[1] - CROP_HEIGHT)
    return left, top, left + CROP_WIDTH, top + CROP_HEIGHT


def _corner(position: float, largest: int) -> int:
    return max(0, min(round(position / _GRID) * _GRID, largest // _GRID * _GRID))


def direct(image: Image.Image, text: str, answer: str) -> Lesson:
    """One turn without tools."""
    opening = get_dialect("direct").opening(text, 1)
    return Lesson((*opening, Message("assistant", f"<answer>{answer}</answer>")), (image,))


def at_once(image: Image.Image, text: str, answer: str, dialect: str) -> Lesson:
    """An answer in a tool dialect that needs no tool."""
    reply = f"<think>\nThis can be seen at once.\n</think>\n<answer>{answer}</answer>"
    opening = get_dialect(dialect).opening(text, 1)
    return Lesson((*opening, Message("assistant", reply)), (image,))


def loose_crop(
    rng: random.Random, image: Image.Image, box: Box, frame: tuple[float, float], most: float = 1.0
) -> Image.Image:
    """The evidence with a random margin: from the tight box up to `most` of the way to a frame
    of this width and height."""
    slack = most * rng.random() ** 1.5
    wide = max(frame[0] - (box.right - box.left), 0) * slack
    high = max(frame[1] - (box.bottom - box.top), 0) * slack
    left, top = box.left - wide * rng.random(), box.top - high * rng.random()
    edges = (left, top, left + box.right - box.left + wide, top + box.bottom - box.top + high)
    return image.crop(
        (
            max(int(edges[0]), 0),
            max(int(edges[1]), 0),
            min(int(edges[2]), image.width),
            min(int(edges[3]), image.height),
        )
    )


def glance(page: Page, question: Question) -> Lesson:
    """What a closer look shows, read without the turns before it: the same picture for a third of
    the cost."""
    seen = page.image.crop(region(question.evidence[0], page.image.size))
    return direct(seen, question.text, question.answer)


def shown(crop: Image.Image) -> Image.Image:
    """About what matplotlib makes of `plt.imshow(crop)` with the axes off and a tight frame."""
    scale = min(496 / crop.width, 370 / crop.height)
    drawn = crop.resize((round(crop.width * scale), round(crop.height * scale)))
    figure = Image.new("RGB", (drawn.width + 20, drawn.height + 20), "white")
    figure.paste(drawn, (10, 10))
    return figure


def look_code(corners: tuple[int, int, int, int]) -> str:
    """The python that shows a region."""
    return f'crop = image_1.crop({corners})\nplt.imshow(crop)\nplt.axis("off")\nplt.show()'


def _code_turn(thought: str, code: str) -> Message:
    return Message(
        "assistant", f"<think>\n{thought}\n</think>\n<code>\n```python\n{code}\n```\n</code>"
    )


def _look(question: Question, box: Box, page: Page, dialect: str) -> Message:
    """The turn that asks for the region around a box."""
    corners = region(box, page.image.size)
    thought = f"I look closer at {question.target}."
    if dialect == "deepeyes-v2":
        return _code_turn(thought, look_code(corners))
    call = f'{{"name": "image_zoom_in_tool", "arguments": {{"bbox_2d": {list(corners)}}}}}'
    text = f"<think>\n{thought}\n</think>\n<tool_call>\n{call}\n</tool_call>"
    return Message("assistant", text)


def point(page: Page, question: Question, dialect: str) -> Lesson:
    """Only the turn that looks closer: where to look costs less to learn without a second image."""
    opening = get_dialect(dialect).opening(question.text, 1)
    return Lesson((*opening, _look(question, question.evidence[0], page, dialect)), (page.image,))


def look_closer(page: Page, question: Question, dialect: str) -> Lesson:
    """Crop to the evidence, then answer from what is seen."""
    start = point(page, question, dialect)
    crop = page.image.crop(region(question.evidence[0], page.image.size))
    observation = get_dialect(dialect).observation(Observed(images=1))
    final = f"<think>\nNow it can be read.\n</think>\n<answer>{question.answer}</answer>"
    return Lesson(
        (*start.messages, Message("user", observation), Message("assistant", final)),
        (page.image, shown(crop) if dialect == "deepeyes-v2" else crop),
    )


def compute(page: Page, question: Question) -> Lesson:
    """Read every operand from a crop of its own, then let python compute the answer."""
    speaks = get_dialect("deepeyes-v2")
    messages, images = [*speaks.opening(question.text, 1)], [page.image]
    said = "I read the values one by one."
    for box, operand in zip(question.evidence, question.operands, strict=True):
        corners = region(box, page.image.size)
        messages.append(_code_turn(said, look_code(corners)))
        messages.append(Message("user", speaks.observation(Observed(images=1))))
        images.append(shown(page.image.crop(corners)))
        said = f"It says {operand}."
    messages.append(_code_turn(said, f"print({question.computation})"))
    messages.append(Message("user", speaks.observation(Observed(stdout=question.answer))))
    final = f"<think>\nThat is the result.\n</think>\n<answer>{question.answer}</answer>"
    return Lesson((*messages, Message("assistant", final)), tuple(images))
