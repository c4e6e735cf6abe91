"""The images of a run on their way to the store and back, one object each."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from curation.errors import RunError
from curation.stores.bucket import Bucket
from curation.stores.copy import IMAGES
from curation.tables import PARTIAL

_TICK = 10**9
"""Nanoseconds within which a folder may change twice and bear one time."""


class Pictures:
    """Which images the store lacks. Their names are their content, so each is put once; which are
    there is asked of the store, a subfolder at a time, when an image turns up in it here."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        """folder: the local copy of the run"""
        self._bucket, self._folder = bucket, folder / IMAGES
        self._there: dict[str, set[str]] = {}
        self._settled: dict[str, tuple[int, int]] = {}
        """Of subfolders of which nothing was missing: their time, and when they were looked at."""

    def asks(self) -> Iterator[Callable[[], None]]:
        """Tasks that must be done before `puts` are listed."""
        return (partial(self._ask, each) for each in self._changed() if each not in self._there)

    def puts(self) -> Iterator[Callable[[], None]]:
        """Tasks that put what the store lacks."""
        for subfolder in self._changed():
            if subfolder not in self._there:
                continue  # It is newer than the rows that are about to be put.
            place = self._folder / subfolder
            looked, changed = time.time_ns(), place.stat().st_mtime_ns
            names = {name for name in os.listdir(place) if not name.endswith(PARTIAL)}
            missing = names - self._there[subfolder]
            if not missing:
                self._settled[subfolder] = (changed, looked)
            yield from (partial(self._put, subfolder, name) for name in sorted(missing))

    def _changed(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return [each.name for each in os.scandir(self._folder) if not self._is_settled(each)]

    def _is_settled(self, subfolder: os.DirEntry[str]) -> bool:
        time_then, looked = self._settled.get(subfolder.name, (0, 0))
        changed = subfolder.stat().st_mtime_ns
        return changed == time_then and looked - changed > _TICK

    def _ask(self, subfolder: str) -> None:
        self._there[subfolder] = {*self._bucket.names(f"{IMAGES}/{subfolder}")}

    def _put(self, subfolder: str, name: str) -> None:
        content = (self._folder / subfolder / name).read_bytes()
        self._bucket.put(f"{IMAGES}/{subfolder}/{name}", content)
        self._there[subfolder].add(name)


def fetch_image(bucket: Bucket, folder: Path, path: Path) -> bool:
    """Bring an image that a local copy lacks; whether the store has it.

    Raises:
        RunError: it has other bytes than those that it is named by.
    """
    try:
        content = bucket.get(path.relative_to(folder).as_posix())
    except FileNotFoundError:
        return False
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise RunError(f"{path.name} was changed in {bucket.url}: restore it from a copy")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}-{uuid.uuid4().hex[:8]}{PARTIAL}")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)
    return True
