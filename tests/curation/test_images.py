from __future__ import annotations

import hashlib
import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image as Pillow

from curation.errors import RunError
from curation.images import BadImageError, ImageStore, crop, decode, identify
from schemas import Box
from tests.curation.scene import picture


def bomb() -> bytes:
    """A few bytes of PNG whose header declares 40,000 x 40,000 pixels."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def ico() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (32, 32)).save(buffer, format="ICO")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("encoded", "fault", "sentence"),
    [
        (b"", "not_an_image", "0 bytes"),
        (b"hello, world", "not_an_image", "are no image"),
        (bomb(), "image_too_large", "scale the image down"),
        (ico(), "image_format", "convert it"),
    ],
)
def test_bytes_that_are_no_usable_image_are_refused_by_their_header(
    encoded: bytes, fault: str, sentence: str
) -> None:
    with pytest.raises(BadImageError, match=sentence) as told:
        identify(encoded)
    assert told.value.fault == fault


def test_damage_behind_a_sound_header_shows_when_decoding() -> None:
    damaged = picture(1)[:2000]
    assert identify(damaged).width == 64
    with pytest.raises(BadImageError, match="cannot be decoded") as told:
        decode(damaged)
    assert told.value.fault == "image_damaged"


def test_bytes_are_stored_once_and_unchanged(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    encoded = picture(3)
    image_id = store.put(encoded)
    assert image_id == store.put(encoded) == hashlib.sha256(encoded).hexdigest()
    assert store.read(image_id) == encoded
    assert store.path(image_id) == tmp_path / image_id[:2] / f"{image_id}.png"
    assert len(list(tmp_path.rglob("*.*"))) == 1


def test_threads_that_put_the_same_image_store_it_once(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    pictures = [picture(number) for number in range(4)] * 8
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(store.put, pictures))
    assert [store.soon(image_id).read_bytes() for image_id in ids] == pictures
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="abcd is missing"):
        ImageStore(tmp_path).path("abcd")


def test_a_crop_has_the_pixels_of_the_original() -> None:
    encoded = picture(5)
    region = Pillow.open(io.BytesIO(crop(encoded, Box(0, 4, 6, 20, 30))))
    whole = Pillow.open(io.BytesIO(encoded))
    assert region.size == (16, 24)
    assert region.tobytes() == whole.crop((4, 6, 20, 30)).tobytes()
