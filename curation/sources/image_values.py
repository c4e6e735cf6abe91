"""Encoded images out of the cells of a table: bytes, paths, base64 text, or a list of them."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

from curation.sources.faults import RowFault

# How base64 begins for PNG, JPEG, WebP, GIF and TIFF; any other text is taken for a path.
_BASE64_STARTS = ("iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD", "SUkqA", "TU0AK")


def image_bytes(value: object, root: Path) -> tuple[bytes, ...]:
    """Every image of a cell, as encoded; `RowFault` says what is wrong with one.

    A cell holds bytes, the `{bytes, path}` struct of Hugging Face, a path inside `root`, base64
    text, a `data:` URL, or a list of these.
    """
    if isinstance(value, list | tuple):
        return tuple(data for item in value for data in image_bytes(item, root))
    return (_one_image(value, root),)


def _one_image(value: object, root: Path) -> bytes:
    if isinstance(value, Mapping) and ("bytes" in value or "path" in value):
        return _one_image(value.get("bytes") or value.get("path"), root)
    if value is None or value in (b"", ""):
        raise RowFault("missing_image", "the row has no image; add one or remove the row")
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return _image_text(value.strip(), root)
    raise RowFault(
        "image_type",
        f"the image is {type(value).__name__}, not bytes, {{bytes, path}}, a path or base64; "
        "map the column that holds the image",
    )


def _image_text(text: str, root: Path) -> bytes:
    if text.startswith(("http://", "https://")):
        raise RowFault(
            "image_is_url",
            f"the image is only a link ({text[:120]}); download it and map its path",
        )
    if text.startswith("data:"):
        return _decode(text.partition(",")[2])
    if text.startswith(_BASE64_STARTS):
        return _decode(text)
    return read_inside(root, text)


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise RowFault(
            "bad_base64",
            f"the image's base64 cannot be decoded ({error}); write it again, whole and padded",
        ) from error
    if not data:
        raise RowFault("missing_image", "the image's base64 is empty; add the image")
    return data


def read_inside(root: Path, name: str) -> bytes:
    """The bytes of a file named by a row, which may not point outside `root`.

    The check is on the names and not on what links lead to: the snapshots of the Hugging Face
    cache are links to a folder of blobs beside them.
    """
    shown = repr(name if len(name) <= 120 else f"{name[:120]}...")
    folder = os.path.abspath(root)
    path = os.path.normpath(os.path.join(folder, name))
    if os.path.commonpath([folder, path]) != folder:
        raise RowFault(
            "image_outside_root",
            f"the image path {shown} leads out of {root}; set image_root to a folder that "
            "holds every image",
        )
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise RowFault(
            "missing_image",
            f"the image {shown} cannot be read under {root} "
            f"({getattr(error, 'strerror', None) or error}); set image_root or add the file",
        ) from error
    if not data:
        raise RowFault("missing_image", f"the image {shown} is an empty file; replace it")
    return data
