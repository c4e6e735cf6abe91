"""A run with something of everything to look at: two sources, every verdict, filtered rows, an
image and requests that fail, and rollouts that were verified, wrong or met an error.

The sums are those of `tests.curation.scene`; the charts are the package's own, with a scripted
model that crops the evidence box. What it says about a chart depends on the chart's number alone,
never on what is drawn.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

from curation.sources import RawSample
from curation.sources.charts import charts
from tests.curation import scene
from tests.scripted_server import Fault, images_of, text_of

CHARTS, SUMS = 12, 10
REFUSED = "What is 3 plus"
"""Requests with these words fail."""

HOSTILE = "</script><img src=x onerror=alert(1)><script>alert('$1 and $2')</script>"
"""A question that does harm wherever it is taken for markup."""

EASY = {3, 7}
"""Charts that are read without tools."""
UNSOLVED, HARMED = {1, 6}, {4}
"""Charts that are not read with tools; the harmed one is read without them, twice in eight."""
TAUGHT_WRONGLY, TAUGHT_BADLY = {0, 1}, {2, 5}
"""Charts about which the teacher answers wrongly, or writes code that fails."""

_CHARTS = f"""
[[sources]]
use = "charts"
limit = {CHARTS}
"""


def recipe_text(url: str) -> str:
    sums = scene.recipe_text(url, SUMS).replace("curation.scene:sums", "notebooks.world:sums")
    taught = sums.replace("attempts = 2", "attempts = 2\nrl_share = 1.0")
    return taught.replace("[[filters]]", f"{_CHARTS}[[filters]]", 1)


def sums(*, limit: int = SUMS) -> Iterator[RawSample]:
    """Sums; one has no answer, one half of an image, one a tiny image, and one a question that
    looks like markup."""
    yield from scene.sums(limit=limit - 4)
    yield scene.sum_sample(limit - 4, images=(scene.picture(limit)[:2000],))
    yield scene.sum_sample(limit - 3, answers=())
    yield scene.sum_sample(limit - 2, images=(scene.picture(0, side=16),), evidence=())
    plain = scene.sum_sample(limit - 1)
    yield scene.sum_sample(limit - 1, question=f"{HOSTILE} {plain.question}")


@functools.cache
def _drawn() -> list[RawSample]:
    return list(charts(limit=CHARTS))


def reply(request: dict[str, Any]) -> list[str] | Fault:
    """What the scripted model says; it depends on nothing but the request."""
    text, images = text_of(request), images_of(request)
    for number, sample in enumerate(_drawn()):
        if sample.question in text and sample.images[0] == images[0]:
            return [_chart_reply(request, number, sample, i) for i in range(request["n"])]
    if REFUSED in text:
        return Fault(status=400, message="this one is refused")
    return scene.reply(request)


def _chart_reply(request: dict[str, Any], number: int, sample: RawSample, attempt: int) -> str:
    teacher = request["temperature"] < 1
    if "</code>" not in request["stop"]:
        return _answer(sample, right=number in EASY or (number in HARMED and attempt < 2))
    if len(request["messages"]) == 2:
        return _crop(sample, broken=teacher and number in TAUGHT_BADLY)
    if teacher:
        return _answer(sample, right=number not in TAUGHT_WRONGLY)
    return _answer(sample, right=number not in UNSOLVED | HARMED)


def _answer(sample: RawSample, *, right: bool) -> str:
    gold = sample.answers[0]
    # Another answer of the same kind, so that the grader decides and does not abstain.
    wrong = {"yes": "no", "no": "yes"}.get(gold, "-1")
    return f"<think>The crop shows it.</think>\n<answer>{gold if right else wrong}</answer>"


def _crop(sample: RawSample, *, broken: bool) -> str:
    method = "cut_out" if broken else "crop"
    code = f"box = {_box(sample)}\ncrop = image_1.{method}(box)\nshow(crop)\nprint(crop.size)"
    return (
        "<think>The value stands beside its mark and is small, so I enlarge that part.</think>\n"
        f"<code>\n```python\n{code}\n```\n</code>"
    )


def _box(sample: RawSample) -> tuple[int, int, int, int]:
    """The evidence; all of the chart where the question is about all of it."""
    if not sample.evidence:
        return (0, 0, *Image.open(io.BytesIO(sample.images[0])).size)
    box = sample.evidence[0]
    return (box.left, box.top, box.right, box.bottom)
