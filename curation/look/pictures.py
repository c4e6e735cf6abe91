"""Images of a run, fitted to the page, with boxes drawn."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image as Pillow
from PIL import ImageDraw

from curation.errors import RunError
from curation.images import BadImageError, decode
from curation.look.cards import find_sample
from curation.runs import Run
from schemas import Box

_OUTLINE = ((4, 4, "white"), (3, 2, "#d0006f"))
"""Pixels outside the box, line width and colour: magenta between white is seen on any ground."""
TINY = 128
"""Pixels of the longer side up to which an image is shown enlarged, its pixels as they are."""
_QUALITY = 75
_DECODED = 4
"""Images that are decoded at a time: each may have tens of millions of pixels."""


def outlined(encoded: bytes, boxes: Iterable[Box] = (), *, side: int = 640) -> Pillow.Image:
    """An image whose longer side fits `side` pixels, with boxes outlined from outside.

    A small image is enlarged by a whole factor, so that its pixels stay what they are.

    Raises:
        BadImageError: the bytes cannot be decoded.
    """
    flat = _flat(decode(encoded))
    scale = side / max(flat.size)
    scale, filtered = (scale, Pillow.Resampling.LANCZOS) if scale < 1 else (scale // 1, None)
    width, height = (max(1, round(length * scale)) for length in flat.size)
    fitted = flat.resize((width, height), filtered or Pillow.Resampling.NEAREST)
    for box in boxes:
        _outline(fitted, [edge * scale for edge in (box.left, box.top, box.right, box.bottom)])
    return fitted


def _flat(image: Pillow.Image) -> Pillow.Image:
    """On white where it is transparent."""
    image = image.convert("RGBA")
    return Pillow.alpha_composite(Pillow.new("RGBA", image.size, "white"), image).convert("RGB")


def _outline(image: Pillow.Image, edges: Sequence[float]) -> None:
    left, top, right, bottom = (round(edge) for edge in edges)
    draw = ImageDraw.Draw(image)
    for out, width, colour in _OUTLINE:
        frame = (left - out, top - out, right + out - 1, bottom + out - 1)
        draw.rectangle(frame, outline=colour, width=width)


def boxed(run: Run, sample_id: str, *, image: int = 0, side: int = 640) -> Pillow.Image:
    """One image of a sample with the evidence boxes that lie in it.

    Raises:
        RunError: the run holds no such sample.
        BadImageError: the image is damaged.
    """
    with run.connect() as db:
        sample = find_sample(db, sample_id)
    boxes = [box for box in sample.evidence if box.image == image]
    return outlined(run.images.read(sample.image_ids[image]), boxes, side=side)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An image made small for a page."""

    width: int
    """Pixels of the original, in which boxes are counted; like the next."""
    height: int
    webp: bytes

    @property
    def tiny(self) -> bool:
        """So small that a page enlarges it."""
        return max(self.width, self.height) <= TINY

    @property
    def encoded(self) -> str:
        return base64.b64encode(self.webp).decode()

    @property
    def url(self) -> str:
        return f"data:image/webp;base64,{self.encoded}"


class Gallery:
    """The pictures of a page, each made once.

    `shared` pictures are named by the cards and held by the page, so that a document with ten
    questions is in it once; others are embedded wherever they are shown.
    """

    def __init__(self, run: Run, *, side: int = 480, shared: bool = False) -> None:
        self._run, self._side = run, side
        self._made: dict[str, Thumbnail | str] = {}
        self.shared = shared

    def show(self, image_id: str) -> Thumbnail | str:
        """The picture, or the sentence that says why there is none."""
        if image_id not in self._made:
            self._made[image_id] = self._make(image_id)
        return self._made[image_id]

    def prepare(self, image_ids: Iterable[str]) -> None:
        """Make many at once: Pillow decodes and encodes beside other threads."""
        wanted = list(dict.fromkeys(image_ids))
        with ThreadPoolExecutor(_DECODED) as threads:
            self._made |= zip(wanted, threads.map(self._make, wanted), strict=True)

    def pictures(self) -> Iterator[tuple[str, Thumbnail]]:
        """Every picture that was made, by the id of its image."""
        for image_id, made in self._made.items():
            if isinstance(made, Thumbnail):
                yield image_id, made

    def _make(self, image_id: str) -> Thumbnail | str:
        try:
            return thumbnail(self._run.images.read(image_id), side=self._side)
        except (BadImageError, RunError) as error:
            return str(error)


def thumbnail(encoded: bytes, *, side: int) -> Thumbnail:
    """An image whose longer side is at most `side` pixels, as WebP.

    Raises:
        BadImageError: the bytes cannot be decoded.
    """
    image = decode(encoded).convert("RGBA")
    width, height = image.size
    image.thumbnail((side, side), Pillow.Resampling.LANCZOS)
    buffer = io.BytesIO()
    _flat(image).save(buffer, format="WEBP", quality=_QUALITY, lossless=max(width, height) <= TINY)
    return Thumbnail(width, height, buffer.getvalue())
