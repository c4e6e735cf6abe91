"""Receipts, forms, tables, paragraphs and labels set in real print on pages of real size.

A4 at 100 dots an inch is 827 x 1169 pixels, a till receipt 560 x 1000, a shelf label 280 x 150.
Print runs from what is legible on the page scaled down to what has to be looked at closely. The
evidence box is the printed answer, from the font's own metrics.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from curation.sources import tables
from curation.sources.base import RawSample
from curation.sources.document_kinds import (
    draw_form,
    draw_label,
    draw_paragraphs,
    draw_receipt,
    draw_table,
)
from curation.sources.drawn import Page, samples


def documents(
    *,
    split: str = "test",
    seed: int = 0,
    limit: int = 200,
    questions_per_image: int = 2,
    labels: float = 0.4,
    min_print: int = 20,
    max_print: int = 56,
) -> Iterator[RawSample]:
    """Receipts, forms, tables, paragraphs and labels, two questions a page.

    split: of the texts and names, so that none is in two
    seed: another one draws other pages
    limit: rows, a question each
    questions_per_image: the most that ask about one page

    `labels` is the share of shelf labels; on the other pages `min_print` and `max_print` bound the
    size of the print in pixels (log-uniform).
    """

    def draw(rng: random.Random) -> Page:
        return draw_document(rng, split, labels, min_print, max_print)

    return samples(
        "documents",
        draw,
        split=split,
        seed=seed,
        limit=limit,
        questions_per_image=questions_per_image,
        category="document",
        license=tables.LICENSE,
        origin=tables.ORIGIN,
    )


def draw_document(
    rng: random.Random, split: str, labels: float = 0.4, min_print: int = 20, max_print: int = 56
) -> Page:
    """One document of a random kind with all its questions."""
    if rng.random() < labels:
        return draw_label(rng, split)
    size = round(min_print * (max_print / min_print) ** rng.random())
    draw = rng.choice((draw_receipt, draw_form, draw_table, draw_paragraphs))
    return draw(rng, split, size)
