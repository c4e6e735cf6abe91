"""Real trajectories: real charts and documents, code and calls that really ran, in eight manners.

Only the words are scripted. Every observation comes from the sandbox or from a tool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.dialects import get_dialect
from curation.images import ImageStore, decode
from curation.models import ModelClient
from curation.rollouts.actions import Workbench
from curation.rollouts.conversation import Unit
from curation.rollouts.loop import Roller
from curation.rollouts.sampler import Sampler
from curation.sandbox import Sandbox
from curation.sources.base import RawSample
from curation.sources.charts import charts
from curation.sources.documents import documents
from curation.tools import toolbox
from curation.verification import Case, Gallery
from schemas import Rollout
from tests.scripted_server import ScriptedServer, images_of


@dataclass(frozen=True, slots=True)
class Real:
    """A rollout with its sample."""

    sample: RawSample
    rollout: Rollout
    image: Path

    def case(self, gallery: Gallery) -> Case:
        return Case(
            rollout=self.rollout,
            dialect=get_dialect(self.rollout.dialect),
            question=self.sample.question,
            answers=self.sample.answers,
            image_ids=(self.image.stem,),
            gallery=gallery,
            answer_kind=self.sample.answer_kind,
        )


def cell(thought: str, *lines: str) -> str:
    code = "\n".join(lines)
    return f"<think>\n{thought}\n</think>\n<code>\n```python\n{code}\n```\n</code>"


def call(thought: str, arguments: str) -> str:
    body = f'{{"name": "image_zoom_in_tool", "arguments": {arguments}}}'
    return f"<think>\n{thought}\n</think>\n<tool_call>\n{body}\n</tool_call>"


def final(thought: str, answer: str) -> str:
    return f"<think>\n{thought}\n</think>\n<answer>{answer}</answer>"


SHOW = ('plt.axis("off")', "plt.show()")


def _crop(around: str, answer: str) -> list[str]:
    look = cell("I look closer.", f"crop = image_1.crop({around})", "plt.imshow(crop)", *SHOW)
    return [look, final("Now it can be read.", answer)]


def _enlarged(around: str, answer: str) -> list[str]:
    lines = (
        "# enlarge the part that matters",
        f"box = {around}",
        "part = image_1.crop(box)",
        "part = part.resize((part.width * 2, part.height * 2))",
        "plt.imshow(part)",
    )
    return [cell("Small print: I enlarge it.", *lines, *SHOW), final("It is clear now.", answer)]


def _size_first(around: str, answer: str) -> list[str]:
    size = cell("How large is the image?", "width, height = image_1.size", "print(width, height)")
    return [size, *_crop(around, answer)]


def _contrast(around: str, answer: str) -> list[str]:
    set_up = cell("I keep the part.", "from PIL import ImageOps", f"part = image_1.crop({around})")
    look = cell("More contrast.", "plt.imshow(ImageOps.autocontrast(part.convert('RGB')))", *SHOW)
    return [set_up, look, final("The figure stands out.", answer)]


def _loop(around: str, answer: str) -> list[str]:
    lines = (
        f"for scale in (1, 2):\n    part = image_1.crop({around})",
        "    plt.imshow(part.resize((part.width * scale, part.height * scale)))",
        "    plt.show()",
    )
    return [cell("I compare two scales.", *lines), final("Both say the same.", answer)]


def _measured(around: str, answer: str) -> list[str]:
    lines = (f"part = image_1.crop({around}).convert('L')", "print(sum(part.histogram()[:128]))")
    look = cell("There should be print.", "plt.imshow(part)", *SHOW)
    return [cell("Is there dark print?", *lines), look, final("Yes, and it reads so.", answer)]


def _zoom(around: str, answer: str) -> list[str]:
    box = around.replace("(", "[").replace(")", "]")
    look = call("I zoom in.", f'{{"bbox_2d": {box}, "label": "the place in question"}}')
    return [look, final("It can be read.", answer)]


def _zoom_twice(around: str, answer: str) -> list[str]:
    first = call("Somewhere here.", '{"bbox_2d": [0, 0, 140, 140]}')
    box = around.replace("(", "[").replace(")", "]")
    second = call("Not there; lower.", f'{{"bbox_2d": {box}}}')
    return [first, second, final("There it is.", answer)]


Manner = Callable[[str, str], list[str]]
CODE: tuple[Manner, ...] = (_crop, _enlarged, _size_first, _contrast, _loop, _measured)
ZOOM: tuple[Manner, ...] = (_zoom, _zoom_twice)


def samples(count: int) -> Iterator[RawSample]:
    """Samples whose answer stands in one place, one a picture, half of them charts."""
    for source in (charts, documents):
        rows = {
            row.images[0]: row
            for row in source(split="test", seed=11, limit=4 * count)
            if len(row.evidence) == 1
        }
        yield from list(rows.values())[: count // 2]


def around(row: RawSample) -> str:
    """A region of 240 by 140 pixels or more about the evidence, inside the image."""
    box, (width, height) = row.evidence[0], decode(row.images[0]).size
    left = max(min((box.left + box.right) // 2 - 120, width - 240), 0)
    top = max(min((box.top + box.bottom) // 2 - 70, height - 140), 0)
    right, bottom = min(max(left + 240, box.right), width), min(max(top + 140, box.bottom), height)
    return f"({left}, {top}, {right}, {bottom})"


async def taught(folder: Path, sandbox: Sandbox, count: int) -> list[Real]:
    """`count` trajectories with code and a third as many that zoom, each manner in its turn."""
    store = ImageStore(folder)
    rows = list(samples(count))
    lessons = [(row, "deepeyes-v2", CODE[i % len(CODE)]) for i, row in enumerate(rows)]
    lessons += [(row, "deepeyes", ZOOM[i % len(ZOOM)]) for i, row in enumerate(rows[::3])]
    scripts = {
        (row.images[0], dialect): manner(around(row), row.answers[0])
        for row, dialect, manner in lessons
    }

    def reply(request: dict[str, Any]) -> list[str]:
        dialect = "deepeyes-v2" if "</code>" in request["stop"] else "deepeyes"
        return [scripts[images_of(request)[0], dialect][len(request["messages"]) // 2 - 1]]

    with ScriptedServer(reply, record=False) as server:
        async with ModelClient([server.url]) as client:
            made = [_rolled(row, dialect, client, store, sandbox) for row, dialect, _ in lessons]
            return await asyncio.gather(*made)


async def _rolled(
    row: RawSample, dialect: str, client: ModelClient, store: ImageStore, sandbox: Sandbox
) -> Real:
    image = store.path(store.put(row.images[0]))
    sampler = Sampler("teacher", "scripted", get_dialect(dialect), 1.0, 1.0, 256, 6, seed=5)
    unit = Unit(row.origin_id, "real", row.question, (image,), {0: f"{row.origin_id}/{dialect}"})
    (rollout,) = await Roller(sampler, client, store, Workbench(sandbox, toolbox(dialect))).roll(
        unit
    )
    return Real(row, rollout, image)
