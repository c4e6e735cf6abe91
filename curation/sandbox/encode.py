"""Images at the border: checked on the way in, encoded on the way out."""

from __future__ import annotations

import io
import warnings

from PIL import Image, UnidentifiedImageError

PNG_LEVEL = 2
"""Compression: a fifth to two thirds of the default's time, for files a third larger at most."""


def encode_png(width: int, height: int, pixels: bytes) -> bytes:
    """PNG of raw RGB rows."""
    return png(Image.frombytes("RGB", (width, height), pixels))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


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
