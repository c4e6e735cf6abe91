"""Images of a run, fitted to the page, with boxes drawn."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

import duckdb
from PIL import Image as Pillow
from PIL import ImageDraw

from curation.errors import RunError
from curation.images import BadImageError, decode, encode_png
from curation.runs import Run
from schemas import Box, Sample, from_table

_OUTLINE = ((4, 4, "white"), (3, 2, "#d0006f"))
"""Pixels outside the box, line width and colour: magenta between white is seen on any ground."""


def outlined(encoded: bytes, boxes: Iterable[Box] = (), *, side: int = 640) -> Pillow.Image:
    """An image whose longer side fits `side` pixels, with boxes outlined from outside.

    A small image is enlarged by a whole factor, so that its pixels stay what they are.

    Raises:
        BadImageError: the bytes cannot be decoded.
    """
    image = decode(encoded).convert("RGBA")
    flat = Pillow.alpha_composite(Pillow.new("RGBA", image.size, "white"), image).convert("RGB")
    scale = side / max(flat.size)
    scale, filtered = (scale, Pillow.Resampling.LANCZOS) if scale < 1 else (scale // 1, None)
    width, height = (max(1, round(length * scale)) for length in flat.size)
    fitted = flat.resize((width, height), filtered or Pillow.Resampling.NEAREST)
    for box in boxes:
        _outline(fitted, [edge * scale for edge in (box.left, box.top, box.right, box.bottom)])
    return fitted


def _outline(image: Pillow.Image, edges: Sequence[float]) -> None:
    left, top, right, bottom = (round(edge) for edge in edges)
    draw = ImageDraw.Draw(image)
    for out, width, colour in _OUTLINE:
        frame = (left - out, top - out, right + out - 1, bottom + out - 1)
        draw.rectangle(frame, outline=colour, width=width)


def find_sample(db: duckdb.DuckDBPyConnection, sample_id: str) -> Sample:
    """A sample of the run that `db` is connected to.

    Raises:
        RunError: it holds no such sample.
    """
    found = db.sql("FROM samples WHERE sample_id = $1", params=[sample_id]).to_arrow_table()
    if not found.num_rows:
        raise RunError(
            f"the run holds no sample {sample_id!r}: `SELECT sample_id FROM samples` lists them"
        )
    return from_table(Sample, found)[0]


def boxed(run: Run, sample_id: str, *, image: int = 0, side: int = 640) -> Pillow.Image:
    """One image of a sample with the evidence boxes that lie in it.

    Raises:
        RunError: the run holds no such sample.
        BadImageError: the image is damaged.
    """
    with run.connect() as db:
        sample = find_sample(db, sample_id)
    return outlined(run.images.read(sample.image_ids[image]), _boxes(sample, image), side=side)


def _boxes(sample: Sample, image: int) -> list[Box]:
    return [box for box in sample.evidence if box.image == image]


def sample_images(run: Run, sample: Sample, *, side: int = 400) -> str:
    """All images of a sample as HTML, with their boxes."""
    return "".join(
        embedded(run, image_id, _boxes(sample, i), side=side)
        for i, image_id in enumerate(sample.image_ids)
    )


def embedded(run: Run, image_id: str, boxes: Iterable[Box] = (), *, side: int) -> str:
    """An image as HTML; one that is missing or damaged is a sentence instead."""
    try:
        image = outlined(run.images.read(image_id), boxes, side=side)
    except (BadImageError, RunError) as error:
        return f"<p><em>Image not shown: {escape(str(error))}</em></p>"
    encoded = base64.b64encode(encode_png(image)).decode()
    return f'<img src="data:image/png;base64,{encoded}" alt="image {image_id[:12]}">'
