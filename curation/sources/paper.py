"""A page to print on: words go down in fonts that matplotlib carries, and report their boxes."""

from __future__ import annotations

import functools
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from curation.sources.drawn import padded_box
from schemas import Box

_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
_INK = 20
_PAD = 8
"""Pixels around a printed word that belong to its evidence box."""


@functools.cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A DejaVu font such as `DejaVuSans-Bold` with an em of `size` pixels."""
    return ImageFont.truetype(_FONTS / f"{name}.ttf", size)


class Paper:
    """A grey page; positions are pixels from the top left."""

    def __init__(self, width: int, height: int, ground: int = 255) -> None:
        self.image = Image.new("L", (width, height), ground)
        self._draw = ImageDraw.Draw(self.image)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: int,
        *,
        name: str = "DejaVuSans",
        anchor: str = "la",
    ) -> Box:
        """Print `words` with Pillow's text anchor at a point; the evidence box comes back."""
        face = font(name, size)
        self._draw.text((x, y), words, _INK, face, anchor)
        return padded_box(self._draw.textbbox((x, y), words, face, anchor), self.image.size, _PAD)

    def width(self, words: str, size: int, name: str = "DejaVuSans") -> float:
        """Printed width in pixels."""
        return font(name, size).getlength(words)

    def line(self, x1: float, y1: float, x2: float, y2: float, width: int = 1) -> None:
        self._draw.line((x1, y1, x2, y2), 90, width)

    def frame(self, x1: float, y1: float, x2: float, y2: float, width: int = 1) -> None:
        self._draw.rectangle((x1, y1, x2, y2), outline=90, width=width)

    def fill(self, x1: float, y1: float, x2: float, y2: float, grey: int) -> None:
        self._draw.rectangle((x1, y1, x2, y2), fill=grey)

    def finished(self) -> Image.Image:
        return self.image.convert("RGB")
