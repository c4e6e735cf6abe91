"""Images of a run: every picture once, under the hash of its encoded bytes, unchanged."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from curation.errors import RunError
from curation.tables import whole
from schemas import Box, Image

EXTENSIONS = {
    "PNG": "png",
    "JPEG": "jpg",
    "MPO": "jpg",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tiff",
}
"""Formats that are taken in, by Pillow's name."""
_putting = [threading.Lock() for _ in range(256)]
"""By the first byte of an image's hash. Threads may put the same image: two attempts at a sample
often crop the same region. Other images do not wait for its sync."""


class BadImageError(ValueError):
    """Bytes that are no usable image; `fault` is the class of the fault for the quarantine."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def identify(encoded: bytes) -> Image:
    """Size, format and hash of encoded bytes, read from the header alone.

    Raises:
        BadImageError: the bytes are no image, of a format that is not taken in, or declare more
            pixels than `PIL.Image.MAX_IMAGE_PIXELS` (a decompression bomb).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(encoded)) as image:
                width, height, form = image.width, image.height, image.format or ""
    except (Pillow.DecompressionBombWarning, Pillow.DecompressionBombError):
        raise BadImageError(
            "image_too_large",
            f"its header declares more than {Pillow.MAX_IMAGE_PIXELS:,} pixels:"
            " scale the image down first",
        ) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise BadImageError(
            "not_an_image",
            f"its {len(encoded)} bytes, which begin with {encoded[:8]!r}, are no image",
        ) from None
    if form not in EXTENSIONS:
        raise BadImageError(
            "image_format",
            f"it is of the format {form}: convert it to one of {', '.join(EXTENSIONS)}",
        )
    return Image(hashlib.sha256(encoded).hexdigest(), width, height, form, len(encoded))


def decode(encoded: bytes) -> Pillow.Image:
    """All pixels of an image.

    Raises:
        BadImageError: the header is sound, the rest is damaged or cut off.
    """
    try:
        image = Pillow.open(io.BytesIO(encoded))
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise BadImageError("image_damaged", f"it cannot be decoded ({error})") from None
    return image


def crop(encoded: bytes, box: Box) -> bytes:
    """A region of an image as PNG, at its own resolution."""
    region = decode(encoded).crop((box.left, box.top, box.right, box.bottom))
    return encode_png(region.convert("RGB"))


def encode_png(image: Pillow.Image) -> bytes:
    """An image made here, as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class ImageStore:
    """Files `<first two digits>/<sha256>.<extension>`."""

    folder: Path
    fetch: Callable[[Path], bool] | None = None
    """Brings a file that is missing here from where the others lie, if it is there."""

    def put(self, encoded: bytes, image: Image | None = None) -> str:
        """Store encoded bytes unless they are there; the image's id."""
        image = image or identify(encoded)
        path = self._path(image.image_id, EXTENSIONS[image.format])
        with _putting[int(image.image_id[:2], 16)]:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with whole(path) as partial:
                    partial.write_bytes(encoded)
        return image.image_id

    def path(self, image_id: str) -> Path:
        """Where an image lies.

        Raises:
            RunError: it is not in the store.
        """
        named = [self._path(image_id, each) for each in dict.fromkeys(EXTENSIONS.values())]
        for path in named:
            if path.exists():
                return path
        for path in named:
            if self.fetch is not None and self.fetch(path):
                return path
        raise RunError(f"image {image_id} is missing from {self.folder}: restore it from a copy")

    def soon(self, image_id: str) -> Path:
        """Where an image lies that will be read soon: the kernel is told to fetch it from disk."""
        path = self.path(image_id)
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        return path

    def read(self, image_id: str) -> bytes:
        return self.path(image_id).read_bytes()

    def _path(self, image_id: str, extension: str) -> Path:
        return self.folder / image_id[:2] / f"{image_id}.{extension}"
