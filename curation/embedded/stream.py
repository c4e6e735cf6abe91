"""An endless stream of training batches, drawn on the fly from the sources' train splits.

Drawing a chart costs more than learning from it, so pages live in a reservoir for a while and
are asked about many times, each time with other questions and other crops.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from torch import Tensor
from torch.utils.data import IterableDataset

from curation.embedded import lessons
from curation.embedded.batches import Encoder
from curation.embedded.lessons import Lesson
from curation.embedded.views import MAX_PIXELS
from curation.images import decode
from curation.sources.charts import draw_chart
from curation.sources.documents import draw_document
from curation.sources.drawn import ORDINALS, Page, Question, pick
from curation.sources.easy_vqa import easy_vqa

if TYPE_CHECKING:
    from tokenizers import Tokenizer

KINDS = ("tight", "crop", "glance", "wide", "page", "shape", "point", "look", "compute")
_PHASES = (
    # Until this step: weights of KINDS. Reading tight crops comes first: wide crops, or a mix
    # with whole pages, stay at chance for long (measured).
    (600, (0.95, 0.0, 0.0, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0)),
    (1200, (0.10, 0.25, 0.15, 0.0, 0.15, 0.1, 0.1, 0.15, 0.0)),
    (4500, (0.0, 0.06, 0.16, 0.04, 0.22, 0.16, 0.1, 0.23, 0.03)),
    # Where to look is known by then better than how to read what is shown there.
    (math.inf, (0.0, 0.03, 0.14, 0.03, 0.24, 0.16, 0.05, 0.32, 0.03)),
)
_POSITIONAL = (*ORDINALS, "highest", "lowest")
"""Words of questions that only the whole page answers."""
_RESERVOIR, _FRESH = 400, 6
_SHAPES = 40_000
"""More than the questions of easy-VQA's training split: all of them."""


class Lessons:
    """Draws lessons of a split; `pages` is the reservoir that they are about."""

    def __init__(self, split: str, seed: int, reservoir: int = _RESERVOIR) -> None:
        self.split = split
        self.rng = random.Random(f"lessons/{split}/{seed}")
        self.pages = [self._draw() for _ in range(reservoir)]
        self.shapes: dict[bytes, list[tuple[str, str]]] = defaultdict(list)
        for row in easy_vqa(split=split, seed=seed, limit=_SHAPES):
            self.shapes[row.images[0]].append((row.question, row.answers[0]))

    def _draw(self) -> Page:
        draw = draw_chart if self.rng.random() < 0.5 else draw_document
        return draw(self.rng, self.split)

    def refresh(self) -> None:
        """Replace a few pages by new ones."""
        for _ in range(_FRESH):
            self.pages[self.rng.randrange(len(self.pages))] = self._draw()

    def of_kind(self, kind: str) -> list[Lesson]:
        """The lessons of one batch."""
        make: dict[str, Callable[[], list[Lesson]]] = {
            "tight": lambda: self._crops(32, slack=0.1),
            "crop": lambda: self._crops(64, slack=1.0),
            "glance": self._glances,
            "wide": self._wide_crops,
            "page": self._whole_pages,
            "shape": self._shapes,
            "point": self._points,
            "look": self._looks,
            "compute": self._computations,
        }
        return make[kind]()

    def _reading(self) -> tuple[Page, Question]:
        page = self.rng.choice(self.pages)
        return page, self.rng.choice([q for q in page.questions if q.skill == "read"])

    def _crops(self, count: int, slack: float) -> list[Lesson]:
        made = []
        for _ in range(count):
            page, question = self._reading()
            crop = lessons.loose_crop(
                self.rng, page.image, question.evidence[0], lessons.REGION, slack
            )
            made.append(lessons.direct(crop, question.text, question.answer))
        return made

    def _glances(self) -> list[Lesson]:
        return [lessons.glance(*self._reading()) for _ in range(64)]

    def _wide_crops(self) -> list[Lesson]:
        """Crops up to the whole page: the way from reading a crop to reading a page."""
        made: list[Lesson] = []
        while len(made) < 48:
            page, question = self._reading()
            if not any(word in question.text for word in _POSITIONAL):
                box, size = question.evidence[0], page.image.size
                crop = lessons.loose_crop(self.rng, page.image, box, size)
                made.append(lessons.direct(crop, question.text, question.answer))
        return made

    def _whole_pages(self) -> list[Lesson]:
        """Pages in print that can be read from afar, three times out of four."""
        legible = [page for page in self.pages if _legible(page)] or self.pages
        chosen = [
            self.rng.choice(legible if self.rng.random() < 0.75 else self.pages) for _ in range(24)
        ]
        return [
            lessons.direct(page.image, question.text, question.answer)
            for page in chosen
            for question in pick(self.rng, page.questions, 4)
        ]

    def _shapes(self) -> list[Lesson]:
        """Several questions about each picture, all in one dialect."""
        dialect = self.rng.choice(("deepeyes", "deepeyes-v2", "direct", "direct", "direct"))
        made = []
        for png, asked in self.rng.sample(list(self.shapes.items()), 32):
            picture = decode(png).convert("RGB")
            for question, answer in self.rng.sample(asked, min(4, len(asked))):
                if dialect == "direct":
                    made.append(lessons.direct(picture, question, answer))
                else:
                    made.append(lessons.at_once(picture, question, answer, dialect))
        return made

    def _points(self) -> list[Lesson]:
        made = []
        for page in self.rng.sample(self.pages, min(24, len(self.pages))):
            asked = [question for question in page.questions if question.skill == "read"]
            for question in self.rng.sample(asked, min(4, len(asked))):
                dialect = self.rng.choice(("deepeyes", "deepeyes-v2", "deepeyes-v2"))
                made.append(lessons.point(page, question, dialect))
        return made

    def _looks(self) -> list[Lesson]:
        made = []
        for page in self.rng.sample(self.pages, min(20, len(self.pages))):
            for question in self.rng.sample(page.questions, min(3, len(page.questions))):
                dialect = self.rng.choice(("deepeyes", "deepeyes-v2", "deepeyes-v2"))
                if question.skill == "read":
                    made.append(lessons.look_closer(page, question, dialect))
                elif question.skill != "arithmetic":
                    made.append(
                        lessons.at_once(page.image, question.text, question.answer, dialect)
                    )
        return made

    def _computations(self) -> list[Lesson]:
        asked = [(page, q) for page in self.pages for q in page.questions if q.operands]
        chosen = self.rng.sample(asked, min(20, len(asked)))
        return [lessons.compute(page, question) for page, question in chosen]


def _legible(page: Page) -> bool:
    """Whether the print is still nine pixels high in the view of the whole page."""
    scale: float = min((MAX_PIXELS / (page.image.width * page.image.height)) ** 0.5, 1.0)
    return scale * float(str(page.settings["print_size"])) >= 9


def kind_at(rng: random.Random, step: int) -> str:
    """The kind of the batch of a step."""
    weights = next(weights for until, weights in _PHASES if step < until)
    return rng.choices(KINDS, weights)[0]


class Stream(IterableDataset[tuple[str, dict[str, Tensor]]]):
    """Batches from step `start` on; the same for a seed and a start."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        seed: int,
        start: int,
        steps: int,
        reservoir: int = _RESERVOIR,
    ) -> None:
        self._tokenizer, self._seed, self._reservoir = tokenizer, seed, reservoir
        self._start, self._steps = start, steps

    def __iter__(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        source = Lessons("train", hash((self._seed, self._start)), self._reservoir)
        encoder = Encoder(self._tokenizer)
        for step in range(self._start, self._steps):
            source.refresh()
            kind = kind_at(source.rng, step)
            yield kind, encoder.batch(source.of_kind(kind))
