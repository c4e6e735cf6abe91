"""Images at the border: checked on the way in, encoded on the way out."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

from PIL import Image, UnidentifiedImageError

MOST_IMAGES = 255
"""The opening frame counts them in one byte."""
PNG_LEVEL = 2
"""Compression: a fifth to two thirds of the default's time, for files a third larger at most."""


def encode_png(width: int, height: int, pixels: bytes) -> bytes:
    """PNG of raw RGB rows."""
    return png(Image.frombytes("RGB", (width, height), pixels))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


def check_images(images: Sequence[bytes], *, pixels: int, size: int) -> None:
    """Raises ValueError for images that a session with these limits cannot be given."""
    if len(images) > MOST_IMAGES:
        raise ValueError(f"{len(images)} images where a session takes at most {MOST_IMAGES}")
    for number, image in enumerate(images, 1):
        check_header(image, f"image {number}", pixels)
    total = sum(map(len, images))
    if total > size:
        raise ValueError(
            f"the images have {total} bytes and a session's files at most {size}: "
            "scale them down, or raise `disk`"
        )


def check_header(encoded: bytes, name: str, pixels: int) -> None:
    """Raises ValueError for bytes that are no image, or claim more pixels than allowed.

    Only the header is read: the pixels are decoded inside the sandbox.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of very large images; the bound here is the caller's.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded)) as image:
                width, height = image.size
    except UnidentifiedImageError:  # its text is a memory address
        raise ValueError(f"{name} cannot be read as an image: its format is not known") from None
    except Exception as error:
        raise ValueError(f"{name} cannot be read as an image: {error}") from error
    if width * height > pixels:
        raise ValueError(
            f"{name} has {width}x{height} pixels and at most {pixels} are allowed: "
            "scale it down, or raise `input_pixels`"
        )
