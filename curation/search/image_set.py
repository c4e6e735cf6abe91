"""Building an image set: hashes, titles, links and thumbnails in one Parquet file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from curation.errors import SourceError
from curation.images import BadImageError, decode, identify
from curation.search.perceptual import perceptual_hash
from curation.sources.tabular import find_files
from curation.tables import whole

KINDS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
SIDE = 512
"""Pixels of a thumbnail's longer side."""
SCHEMA = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("thumbnail", pa.binary(), nullable=False),
    ]
)
_BATCH = 64
"""Images in memory at once, and rows read to show one."""


@dataclass(frozen=True, slots=True)
class BuiltSet:
    """What a build read; `first_bad` says why the first file was skipped."""

    images: int
    skipped: int
    first_bad: str


def build_image_set(paths: Sequence[str], index: Path) -> BuiltSet:
    """Hash every image file of the paths; the file `index` is there whole or not at all.

    An image's title is the name of its file, its link the path as found.

    Raises:
        SourceError: the index exists, or there is no image.
    """
    if index.exists():
        raise SourceError(f"{index} exists already: name another file, or delete it first")
    files = [file for path in paths for file in find_files(path, KINDS)]
    index.parent.mkdir(parents=True, exist_ok=True)
    bad: list[str] = []
    count = 0
    with whole(index) as partial:
        with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
            for rows in _rows(files, bad):
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
                count += len(rows)
        if not count:
            raise SourceError(f"none of the {len(files)} files is an image: {bad[0]}")
    return BuiltSet(count, len(bad), bad[0] if bad else "")


def _rows(files: Sequence[Path], bad: list[str]) -> Iterator[list[dict[str, object]]]:
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(files), _BATCH):
            rows = list(pool.map(_row, files[start : start + _BATCH]))
            bad += [row for row in rows if isinstance(row, str)]
            if good := [row for row in rows if isinstance(row, dict)]:
                yield good


def _row(file: Path) -> dict[str, object] | str:
    """The row of an image file, or what is wrong with it."""
    try:
        encoded = file.read_bytes()
        identify(encoded)
        image = decode(encoded)
    except (OSError, BadImageError) as error:
        return f"{file}: {error}"
    title = file.stem.replace("_", " ")
    thumbnail = _thumbnail(image)
    return {
        "hash": perceptual_hash(image),
        "title": title,
        "url": str(file),
        "thumbnail": thumbnail,
    }


def _thumbnail(image: Image.Image) -> bytes:
    small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    small.save(file, format="JPEG", quality=90)
    return file.getvalue()
