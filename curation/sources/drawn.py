"""What the drawn sources share: a page with its questions, turned into raw samples."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from curation.images import encode_png
from curation.sources.base import RawSample
from schemas import Box

SPLITS = ("train", "test")

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a drawn page, with the boxes that have to be read to answer it."""

    text: str
    answer: str
    kind: str
    """Answer kind, one of `schemas.sample.ANSWER_KINDS`."""
    skill: str
    """read, compare, extremum, count or arithmetic."""
    target: str
    """Noun phrase of what has to be looked at, such as "the red bar"."""
    evidence: tuple[Box, ...] = ()
    operands: tuple[str, ...] = ()
    """For arithmetic: the values read, in the order of `evidence`."""

    @property
    def computation(self) -> str:
        """For arithmetic: the Python expression over the values that gives the answer."""
        if "mean" in self.text:
            return f"round(({' + '.join(self.operands)}) / {len(self.operands)}, 1)"
        return (" - " if "minus" in self.text else " + ").join(self.operands)


@dataclass(frozen=True, slots=True)
class Page:
    """One drawn image and everything that can be asked about it."""

    image: Image.Image
    questions: tuple[Question, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    """How it was drawn: print size in pixels, number of marks, table, ..."""


def padded_box(extent: tuple[float, float, float, float], size: tuple[int, int], pad: int) -> Box:
    """Left, top, right, bottom of a printed text, grown by `pad` pixels inside the page."""
    left, top, right, bottom = extent
    return Box(
        0,
        max(int(left) - pad, 0),
        max(int(top) - pad, 0),
        min(int(right) + pad + 1, size[0]),
        min(int(bottom) + pad + 1, size[1]),
    )


def page_seed(source: str, split: str, seed: int, index: int) -> str:
    """Seed text of one page; the split is part of it, so no page is in two splits."""
    if split not in SPLITS:
        raise ValueError(f"{source} has no split {split!r}: choose one of {', '.join(SPLITS)}")
    return f"{source}/{split}/{seed}/{index}"


def pick(rng: random.Random, questions: Sequence[Question], count: int) -> list[Question]:
    """Up to `count` different questions: a skill first, reading twice as likely as the others,
    then one of its questions. Otherwise a page with many values is hardly asked anything else."""
    left, picked = list(questions), list[Question]()
    while left and len(picked) < count:
        skills = sorted({question.skill for question in left})
        skill = rng.choices(skills, [2 if name == "read" else 1 for name in skills])[0]
        picked.append(rng.choice([question for question in left if question.skill == skill]))
        left.remove(picked[-1])
    return picked


def samples(
    source: str,
    draw: Callable[[random.Random], Page],
    *,
    split: str,
    seed: int,
    limit: int,
    questions_per_image: int,
    category: str,
    license: str,
    origin: str,
) -> Iterator[RawSample]:
    """The first `limit` samples of a drawn source; deterministic for a seed and split."""
    made, index = 0, 0
    while made < limit:
        rng = random.Random(page_seed(source, split, seed, index))
        page = draw(rng)
        png = encode_png(page.image)
        chosen = pick(rng, page.questions, questions_per_image)
        for position, question in enumerate(chosen[: limit - made]):
            yield RawSample(
                origin_id=f"{source}-{split}-{seed}-{index}-{position}",
                images=(png,),
                question=question.text,
                answers=(question.answer,),
                answer_kind=question.kind,
                category=category,
                license=license,
                origin=origin,
                evidence=question.evidence,
                metadata={
                    "skill": question.skill,
                    **({"computation": question.computation} if question.operands else {}),
                    **page.settings,
                },
            )
            made += 1
        index += 1
