"""Image search without a network: a cache by question, or a set of images by look."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import SourceError, ToolError
from curation.images import BadImageError, decode, identify
from curation.search.found import Found, Result
from curation.search.perceptual import distances, perceptual_hash

_SHORTEST = 28
"""Pixels of a side: one merged patch of Qwen2.5-VL."""
_MOST_ASPECT = 200
"""What Qwen2.5-VL's processor refuses."""

# DeepEyesV2's cache, and the same in MMSearch-R1's own, which links images instead of holding them.
_TITLES = ("tool_returned_web_title", "tool_returned_web_title_list")
_PATHS, _LINKS = "cached_images_path", "tool_returned_images_urls"


@dataclass(frozen=True, slots=True)
class Cache:
    """Image search results that were stored by question, in MMSearch-R1's format.

    JSON: `{data id: {"tool_returned_web_title": [...], "cached_images_path": [path or null]}}`.
    """

    entries: Mapping[str, Mapping[str, Any]]
    folder: Path
    """What the paths are relative to."""

    def search(self, data_id: str, results: int) -> Found:
        """What is stored for a question; results whose image is missing are left out, as there.

        Raises:
            ToolError: nothing is stored for it.
        """
        entry = self.entries.get(data_id)
        if not isinstance(entry, Mapping):
            raise ToolError("no image search was made for this question's image")
        titles = [str(title or "") for title in _list(entry, *_TITLES)]
        if paths := _list(entry, _PATHS):
            shown = (self._shown(title, path) for title, path in zip(titles, paths, strict=False))
            found = (each for each in shown if each is not None)
        else:
            linked = zip(titles, _list(entry, _LINKS), strict=False)
            found = (Result(title, str(link)) for title, link in linked if link)
        return Found(tuple(itertools.islice(found, results)))

    def _shown(self, title: str, path: object) -> Result | None:
        image = read_thumbnail(self.folder / path) if isinstance(path, str) else None
        return None if image is None else Result(title, image=image)


def _list(entry: Mapping[str, Any], *names: str) -> list[object]:
    return next((entry[name] for name in names if isinstance(entry.get(name), list)), [])


@dataclass(frozen=True, slots=True)
class ImageSet:
    """An index of images by how they look; `build_image_set` makes it."""

    path: Path
    hashes: npt.NDArray[np.uint64] = field(repr=False)

    def search(self, image: bytes, results: int, radius: int) -> Found:
        """The images that differ in at most `radius` of 64 bits, the most alike first.

        Raises:
            ToolError: the image cannot be decoded.
        """
        try:
            away = distances(self.hashes, perceptual_hash(decode(image)))
        except BadImageError as error:
            raise ToolError(f"the question's image cannot be searched for: {error}") from None
        near = np.flatnonzero(away <= radius)
        best = near[np.argsort(away[near], kind="stable")][:results]
        with pq.ParquetFile(self.path) as file:
            return Found(tuple(_row(file, int(each)) for each in best))


def _row(file: pq.ParquetFile, row: int) -> Result:
    group = 0
    while row >= (rows := file.metadata.row_group(group).num_rows):
        row, group = row - rows, group + 1
    table = file.read_row_group(group, columns=["title", "url", "thumbnail"])
    fields = table.slice(row, 1).to_pylist()[0]
    return Result(fields["title"], fields["url"], image=fields["thumbnail"])


def read_thumbnail(path: Path) -> bytes | None:
    """The bytes of an image file that a model can be shown, or null."""
    try:
        encoded = path.read_bytes()
        image = identify(encoded)
        decode(encoded)
    except (OSError, ValueError):  # BadImageError is one
        return None
    short, long = sorted((image.width, image.height))
    return encoded if short >= _SHORTEST and long <= _MOST_ASPECT * short else None


def open_cache(path: str | Path, folder: str | Path = "") -> Cache:
    """Open a cache file; its paths are relative to `folder`, by default the file's own.

    Raises:
        SourceError: it is no such file. The published pickles run code when they are read, so
            they are not: write them as JSON first.
    """
    file = Path(path).absolute()
    return Cache(_entries(file), Path(folder) if folder else file.parent)


@functools.lru_cache(maxsize=4)
def _entries(path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(entries, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{path} is no image search cache ({error}): give a JSON file"
            f' {{data id: {{"{_TITLES[0]}": [...], "{_PATHS}": [...]}}}}'
        ) from None
    return entries


def open_image_set(path: str | Path) -> ImageSet:
    """Open an image set, or the one that was opened before.

    Raises:
        SourceError: it is none.
    """
    return _image_set(Path(path).absolute())


@functools.lru_cache(maxsize=4)
def _image_set(path: Path) -> ImageSet:
    try:
        column = pq.read_table(path, columns=["hash"]).column("hash")
        hashes = column.cast(pa.uint64()).to_numpy()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise SourceError(
            f"{path} is no image set ({str(error).splitlines()[0]}): build one with"
            " `toolsight search images`"
        ) from None
    return ImageSet(path, hashes)
