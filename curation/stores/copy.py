"""The local copy of a run: what lies in its folder, and what of that the store has."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from curation import telemetry
from curation.errors import RunError
from curation.search import record
from curation.stores.bucket import Bucket
from curation.stores.sessions import Index, Piece, newest
from curation.tables import PARTIAL, whole, write_text

OWN = ".store"
"""Folder in the copy for what the store knows nothing of."""
IMAGES, EXPORTS, REPORT, MARKER = "images", "exports", "report.html", "export.json"
_APART = (IMAGES, EXPORTS, REPORT, "logs")
"""What the index does not tell: known by content, under own names, or of this machine alone."""
ONLY_GROWING = (record.FILE, telemetry.FILE)
"""Files that are only ever added to."""
_ADDED_TO = ("journal/", *ONLY_GROWING)
"""Those, and files that are now added to and now replaced; all others are replaced."""
_THREADS = 16
_TRIES = 5
_SETTLING = 0.01


class Stamp(NamedTuple):
    """A version of a file: whoever replaces a file gives it another inode or another time."""

    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


def stamp_of(path: Path) -> Stamp | None:
    """A file's version; null where there is none."""
    try:
        return Stamp.of(path.stat())
    except FileNotFoundError:
        return None


class Put(NamedTuple):
    """A file as the store has it, and which version of the local one that is."""

    pieces: tuple[Piece, ...]
    stamp: Stamp


class PutExport(NamedTuple):
    """The same of an export, whose local version is that of its `export.json`."""

    mark: str
    stamp: Stamp


@dataclass(slots=True)
class Known:
    """What the store has of a local copy."""

    sessions: list[str] = field(default_factory=list)
    """The sessions that worked in this folder since it was fetched: what the last of them left in
    the store is in the folder too, and perhaps more."""
    files: dict[str, Put] = field(default_factory=dict)
    exports: dict[str, PutExport] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Known:
        """As it was kept; empty for a folder that was never in a store."""
        try:
            told = json.loads((folder / OWN / "known.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        return cls(
            told["sessions"],
            {path: _put(each) for path, each in told["files"].items()},
            {
                name: PutExport(mark, Stamp(*stamp))
                for name, (mark, stamp) in told["exports"].items()
            },
        )

    def keep(self, folder: Path) -> None:
        """Remember it in the folder."""
        told = {"sessions": self.sessions, "files": self.files, "exports": self.exports}
        write_text(folder / OWN / "known.json", json.dumps(told))

    def index(self, session: str) -> Index:
        return Index(
            session,
            {path: put.pieces for path, put in self.files.items()},
            {name: each.mark for name, each in self.exports.items()},
        )

    def only(self, index: Index) -> None:
        """Forget what the store no longer has, or has in another version."""
        for path, put in list(self.files.items()):
            if index.files.get(path) != put.pieces:
                del self.files[path]
        for name, each in list(self.exports.items()):
            if index.exports.get(name) != each.mark:
                del self.exports[name]


def _put(told: Any) -> Put:
    pieces, stamp = told
    return Put(tuple(Piece(*each) for each in pieces), Stamp(*stamp))


def listing(folder: Path, below: str = "") -> dict[str, Stamp]:
    """The files of a run that its index tells, by path, in the order of their names."""
    found: dict[str, Stamp] = {}
    for entry in sorted(os.scandir(folder / below), key=lambda entry: entry.name):
        path = f"{below}{entry.name}"
        if entry.name.startswith(".") or entry.name.endswith(PARTIAL) or path in _APART:
            continue
        if entry.is_dir(follow_symlinks=False):
            found |= listing(folder, f"{path}/")
        else:
            found[path] = Stamp.of(os.stat(entry.path))
    return found


class Captured(NamedTuple):
    """A version of a file under a name of its own, which nobody replaces or deletes."""

    stamp: Stamp
    held: Path | None
    """Null for a version that the store has."""


@contextmanager
def captured(folder: Path, known: Mapping[str, Put]) -> Iterator[dict[str, Captured]]:
    """The run as it is at one moment, while others go on writing to it.

    Hard links hold the versions. Two equal listings, one before the links were made and one
    after, show that nothing was replaced, added or deleted in between; what only grew was longer
    later, and counts with its first size.
    """
    held = folder / OWN / "held"
    try:
        while (found := _capture(folder, known, held)) is None:
            time.sleep(_SETTLING)
        yield found
    finally:
        shutil.rmtree(held, ignore_errors=True)


def _capture(folder: Path, known: Mapping[str, Put], held: Path) -> dict[str, Captured] | None:
    """Null when the run changed meanwhile."""
    shutil.rmtree(held, ignore_errors=True)
    held.mkdir(parents=True)
    found = {}
    try:
        before = listing(folder)
        for number, (path, stamp) in enumerate(before.items()):
            if path in known and known[path].stamp == stamp:
                found[path] = Captured(stamp, None)
                continue
            found[path] = Captured(stamp, held / str(number))
            os.link(folder / path, held / str(number))
        after = listing(folder)
    except FileNotFoundError:
        return None
    same = before.keys() == after.keys() and all(
        _still(path, stamp, after[path]) for path, stamp in before.items()
    )
    return found if same else None


def _still(path: str, before: Stamp, after: Stamp) -> bool:
    if path.startswith(_ADDED_TO):
        return before.inode == after.inode and before.size <= after.size
    return before == after


@contextmanager
def _fetching(folder: Path) -> Iterator[None]:
    """One at a time brings a folder up to date."""
    (folder / OWN).mkdir(parents=True, exist_ok=True)
    with (folder / OWN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch(bucket: Bucket, folder: Path, *, session: str | None = None) -> Known:
    """Make a folder what the store says of the run, but for images and shards; what both have.

    A folder in which the run's last session worked is left as it is: it holds the same or more.
    Otherwise the run went on elsewhere, and what this folder alone holds is given up.

    Args:
        session: one that is going to work in the folder, on a new run too.

    Raises:
        RunError: there is no run, or it changes faster than it can be fetched.
    """
    for _ in range(_TRIES):
        try:
            with _fetching(folder):
                return _fetch_newest(bucket, folder, session)
        except FileNotFoundError:  # Whoever writes to the run has replaced something since.
            continue
    raise RunError(f"{bucket.url} is being changed faster than it can be fetched: try again")


def _fetch_newest(bucket: Bucket, folder: Path, session: str | None) -> Known:
    known, index = Known.read(folder), newest(bucket)
    if index is None:
        _refuse_none(bucket, folder, session)
    elif index.session in known.sessions:
        known.only(index)
    else:
        known = _fetch(bucket, folder, known, index)
        known.keep(folder)
    if session is not None:
        # Until the new one has put its index, the last one's is the run's.
        known.sessions = [*({index.session} & {*known.sessions} if index else ()), session]
        known.keep(folder)
    return known


def _refuse_none(bucket: Bucket, folder: Path, session: str | None) -> None:
    if session is None:
        raise RunError(f"there is no run at {bucket.url}: `toolsight run` makes one")
    if listing(folder):
        raise RunError(
            f"there is no run at {bucket.url} any more, but a copy of one in {folder}: delete that"
            " folder to begin anew"
        )


def _fetch(bucket: Bucket, folder: Path, known: Known, index: Index) -> Known:
    with ThreadPoolExecutor(_THREADS) as pool:
        fetched = pool.map(partial(_fetch_file, bucket, folder, index, known), index.files)
        files = dict(zip(index.files, fetched, strict=True))
    exports = {
        target: _fetch_export(bucket, folder, target, index, known) for target in index.exports
    }
    for path in listing(folder).keys() - files.keys():
        (folder / path).unlink()
    kept = folder / EXPORTS
    for export in kept.iterdir() if kept.is_dir() else ():
        if export.name not in exports:
            shutil.rmtree(export)
    return Known([], files, {name: each for name, each in exports.items() if each is not None})


def _fetch_file(bucket: Bucket, folder: Path, index: Index, known: Known, path: str) -> Put:
    pieces, place = index.files[path], folder / path
    put = known.files.get(path)
    if put and put.pieces == pieces and stamp_of(place) == put.stamp:
        return put
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole(place) as unfinished, unfinished.open("wb") as file:
        for piece in pieces:
            bucket.fetch(piece.key, file)
    return Put(pieces, Stamp.of(place.stat()))


def _fetch_export(
    bucket: Bucket, folder: Path, target: str, index: Index, known: Known
) -> PutExport | None:
    """Only what the export says of itself: its shards may be larger than all the rest, and who
    wants them takes them from the store. Null where it is being replaced."""
    mark, before = index.exports[target], known.exports.get(target)
    marker = folder / EXPORTS / target / MARKER
    if before and before.mark == mark and marker.exists():
        return before
    shutil.rmtree(marker.parent, ignore_errors=True)
    try:
        told = bucket.get(f"{EXPORTS}/{target}/{MARKER}")
    except FileNotFoundError:
        return None
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_bytes(told)
    return PutExport(mark, Stamp.of(marker.stat()))
