"""A session that writes to a run: a thread puts what changed in the local copy into the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path, PurePosixPath

from curation.errors import StoreError
from curation.stores import sessions
from curation.stores.bucket import Bucket
from curation.stores.copy import (
    EXPORTS,
    IMAGES,
    MARKER,
    ONLY_GROWING,
    REPORT,
    Captured,
    Known,
    Put,
    PutExport,
    Stamp,
    captured,
    fetch,
    stamp_of,
)
from curation.stores.pictures import Pictures
from curation.stores.sessions import CLAIMS, SESSIONS, Piece

_THREADS = 16
_TOGETHER = 1024
"""Tasks that wait for the threads at a time."""
_MOST_PIECES = 64
"""Of a growing file; then it is put anew as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the store is asked, all in seconds."""

    every: float = 5.0
    """Between two looks at what changed: a machine that is lost takes no more with it."""
    lease: float = 60.0
    """After which a session that was not heard of may be followed by another."""
    patience: float = 120.0
    """For which a store that does not answer is waited for."""

    @property
    def beat(self) -> float:
        """Between two signs of life."""
        return self.lease / 6


class Session:
    """Work on a run in a store, from `open` to `close`."""

    def __init__(self, bucket: Bucket, folder: Path, pace: Pace) -> None:
        self._bucket, self._folder, self._pace = bucket, folder, pace
        self._known = Known()
        self._name = ""
        self._numbers = count()
        self._pictures = Pictures(bucket, folder)
        self._report: Stamp | None = None
        self._garbage: list[tuple[float, str]] = []
        """Objects that the index names no longer, and since when: somebody may be reading them."""
        self._swept = False
        self._renewed = 0.0
        self._failed: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)

    def open(self) -> None:
        """Take the run, make the folder what the store says, and begin to put what changes.

        The caller holds the folder's lock, so earlier sessions in this folder have ended.

        Raises:
            RunError: another session is at work.
            StoreError: the store does not answer.
        """
        dead = Known.read(self._folder).sessions
        self._name = sessions.claim(self._bucket, lease=self._pace.lease, dead=dead)
        self._renewed = time.monotonic()
        try:
            self._known = fetch(self._bucket, self._folder, session=self._name)
            # From here on nothing counts that an earlier session may still put.
            self._known.index(self._name).put(self._bucket)
        except BaseException:
            with suppress(StoreError):
                sessions.release(self._bucket, self._name)
            raise
        self._thread.start()

    def check(self) -> None:
        """Raise what has kept the run from being put for too long, if anything has."""
        if self._failed is not None:
            raise self._failed

    def close(self, *, broken: bool) -> None:
        """Put what is left, and let the run go.

        broken: an error ends the session already, and no time is to be lost on the store

        Raises:
            RunError: the store did not take it, or another session has the run.
        """
        self._stop.set()
        self._thread.join()
        until = time.monotonic() + (0.0 if broken or self._failed else self._pace.patience)
        while self._failed is None or isinstance(self._failed, StoreError):
            try:
                return self._finish()
            except StoreError as error:
                self._failed = self._given_up(error)
            except BaseException as error:
                self._failed = error
            if time.monotonic() >= until:
                break
            time.sleep(min(self._pace.every, 1.0))
        if not broken:
            self.check()

    def _finish(self) -> None:
        self._put_all()
        self._remove(0.0)
        sessions.release(self._bucket, self._name)

    def _work(self) -> None:
        """Look what changed, again and again; a fault that lasts is left to `check`."""
        well = time.monotonic()
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self._put_all()
                well = time.monotonic()
            except StoreError as error:
                if time.monotonic() - well > self._pace.patience:
                    self._failed = self._given_up(error)
                    return
            except BaseException as error:
                self._failed = error
                return
            # Looking at very many images shall not take more than a tenth of a processor.
            pause = max(self._pace.every, 10 * (time.monotonic() - started))
            self._stop.wait(min(pause, self._pace.beat))

    def _given_up(self, error: StoreError) -> StoreError:
        return StoreError(
            f"{error}; what is done is kept in {self._folder}: run again on this machine, which"
            " first puts it there"
        )

    def _put_all(self) -> None:
        """Put the run as it is now: images first, which rows speak of, and the index last."""
        self._beat()
        if not self._swept:
            self._sweep()
        with captured(self._folder, self._known.files) as now:
            self._parallel(self._pictures.asks())
            self._parallel(self._pictures.puts())
            plans = {path: self._plan(path, version) for path, version in now.items()}
            self._parallel(put for _, put in plans.values() if put is not None)
        exports = self._put_exports()
        self._put_report()
        files = {path: put for path, (put, _) in plans.items()}
        self._tell(Known(self._known.sessions, files, exports))
        self._remove(self._pace.lease)

    def _plan(self, path: str, version: Captured) -> tuple[Put, Callable[[], None] | None]:
        """What a file will be in the store, and how; nothing is to be done for a known version."""
        known = self._known.files.get(path)
        stamp, held = version
        if held is None:
            assert known is not None
            return known, None
        before: tuple[Piece, ...] = ()
        start = 0
        if known and _has_grown(path, known, stamp):
            before, start = known.pieces, known.stamp.size
        piece = Piece(self._new_key(path), stamp.size - start)
        put = partial(self._bucket.put_file, piece.key, held, start, stamp.size)
        return Put((*before, piece), stamp), put

    def _new_key(self, path: str) -> str:
        """A name that no other session and no other version of the file ever has."""
        place = PurePosixPath(path)
        return str(place.with_suffix(f".{self._name}-{next(self._numbers)}{place.suffix}"))

    def _tell(self, now: Known) -> None:
        """Put the index, if there is anything new; without it nobody reads what was put."""
        if now == self._known:
            return
        sessions.refuse_follower(self._bucket, self._name)
        now.index(self._name).put(self._bucket)
        gone = {*_keys(self._known)} - {*_keys(now)}
        self._garbage += [(time.monotonic(), key) for key in gone]
        self._known = now
        now.keep(self._folder)

    def _put_exports(self) -> dict[str, PutExport]:
        """The exports as the store has them, those included that were written since."""
        found = dict(self._known.exports)
        for marker in sorted(self._folder.glob(f"{EXPORTS}/[!.]*/{MARKER}")):
            target, stamp = marker.parent.name, stamp_of(marker)
            if stamp is None or (target in found and found[target].stamp == stamp):
                continue
            found.pop(target, None)
            with suppress(FileNotFoundError):  # It is being written again: next time, then.
                found[target] = PutExport(self._publish(marker, stamp), stamp)
        return found

    def _publish(self, marker: Path, stamp: Stamp) -> str:
        """Put an export, its marker last, without which it is none; a name for this putting."""
        sessions.refuse_follower(self._bucket, self._name)
        folder, told = marker.parent, marker.read_bytes()
        place = f"{EXPORTS}/{folder.name}"
        files = {
            f"{place}/{path.relative_to(folder).as_posix()}": path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path != marker
        }
        self._bucket.delete(f"{place}/{MARKER}")
        extra = {*self._bucket.walk(place)} - files.keys()
        self._parallel(partial(self._bucket.put_file, key, path) for key, path in files.items())
        self._parallel(partial(self._bucket.delete, key) for key in extra)
        if stamp_of(marker) != stamp:
            raise FileNotFoundError(marker)
        self._bucket.put(f"{place}/{MARKER}", told)
        return f"{self._name}-{next(self._numbers)}"

    def _put_report(self) -> None:
        page = self._folder / REPORT
        stamp = stamp_of(page)
        if stamp is not None and stamp != self._report:
            self._bucket.put_file(REPORT, page)
            self._report = stamp

    def _sweep(self) -> None:
        """Find what killed sessions have put and no index names."""
        sessions.forget(self._bucket, self._name)
        found = {*self._bucket.names("")} - {REPORT}
        for folder in {*self._bucket.folders()} - {IMAGES, EXPORTS, CLAIMS, SESSIONS}:
            found.update(self._bucket.walk(folder))
        found -= {*_keys(self._known)}
        self._garbage += [(time.monotonic(), key) for key in found]
        self._swept = True

    def _remove(self, age: float) -> None:
        """Delete what nobody has needed for so many seconds."""
        now = time.monotonic()
        due = [key for since, key in self._garbage if now - since >= age]
        self._parallel(partial(self._bucket.delete, key) for key in due)
        self._garbage = [each for each in self._garbage if now - each[0] < age]

    def _parallel(self, tasks: Iterable[Callable[[], object]]) -> None:
        """Do all tasks, and say meanwhile that the session lives; the first error ends it."""
        waiting = iter(tasks)
        pool = ThreadPoolExecutor(_THREADS, "store")
        try:
            while left := {pool.submit(task) for task in islice(waiting, _TOGETHER)}:
                while left:
                    done, left = wait(left, self._pace.beat, FIRST_EXCEPTION)
                    for each in done:
                        each.result()
                    self._beat()
        finally:
            pool.shutdown(cancel_futures=True)

    def _beat(self) -> None:
        if time.monotonic() - self._renewed >= self._pace.beat:
            sessions.refuse_follower(self._bucket, self._name)
            sessions.renew(self._bucket, self._name)
            self._renewed = time.monotonic()


def _has_grown(path: str, known: Put, stamp: Stamp) -> bool:
    return (
        path in ONLY_GROWING
        and known.stamp.inode == stamp.inode
        and known.stamp.size < stamp.size
        and len(known.pieces) < _MOST_PIECES
    )


def _keys(known: Known) -> Iterator[str]:
    return (piece.key for put in known.files.values() for piece in put.pieces)
