"""A run's place in an object store together with the local copy that is worked on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from curation.errors import RunError
from curation.stores.bucket import Bucket, endpoint, split
from curation.stores.copy import EXPORTS, MARKER, fetch
from curation.stores.pictures import fetch_image
from curation.stores.session import Pace, Session
from curation.tables import whole


class Store:
    """A run's place in an object store, asked only when something is wanted of it."""

    def __init__(self, url: str, pace: Pace | None = None) -> None:
        """url: such as s3://bucket/folder; RunError when it names no such place"""
        self.url, self._pace = url.rstrip("/"), pace or Pace()
        self.folder = local_copy(self.url)
        self._opened: Bucket | None = None
        self._session: Session | None = None

    @property
    def _bucket(self) -> Bucket:
        if self._opened is None:
            self._opened = Bucket.at(self.url)
        return self._opened

    def fetch(self) -> None:
        """Bring the local copy up to date, to read it; images come when they are asked for.

        Raises:
            RunError: there is no run.
            StoreError: the store does not answer.
        """
        fetch(self._bucket, self.folder)

    def fetch_image(self, path: Path) -> bool:
        """Bring the image that belongs at a path of the local copy; whether the store has it."""
        return fetch_image(self._bucket, self.folder, path)

    def fetch_export(self, target: str) -> Path:
        """Bring all files of an export; its folder."""
        place = f"{EXPORTS}/{target}"
        keys = self._bucket.walk(place)
        if f"{place}/{MARKER}" not in keys:
            raise RunError(f"{self.url}/{place} holds no complete export: write it again")
        for key in keys:
            path = self.folder / key
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with whole(path) as unfinished, unfinished.open("wb") as file:
                    self._bucket.fetch(key, file)
        return self.folder / place

    def put_report(self, page: Path) -> str:
        """Put the page of a run beside it; its URL."""
        self._bucket.put_file(page.name, page)
        return f"{self.url}/{page.name}"

    @contextmanager
    def session(self) -> Iterator[None]:
        """Write to the run: what changes in the local copy is put, to its last byte at the end.

        The caller holds the local copy's lock.

        Raises:
            RunError: another session writes to the run, or has taken it over.
            StoreError: the store does not answer; what is done is in the local copy.
        """
        session = Session(self._bucket, self.folder, self._pace)
        session.open()
        self._session, broken = session, True
        try:
            yield
            broken = False
        finally:
            self._session = None
            session.close(broken=broken)

    def guard(self, permit: Callable[[], None]) -> Callable[[], None]:
        """A permit that is refused as well when what is paid for could not be put."""

        def check() -> None:
            if self._session is not None:
                self._session.check()
            permit()

        return check


def fetch_export(url: str) -> Path:
    """A whole export of a run, its shards too, in the run's local copy.

    Raises:
        RunError: the URL names no export, or none that is complete.
    """
    run, _, target = url.rstrip("/").rpartition("/exports/")
    if not run or "/" in target:
        raise RunError(f"{url} names no export: write s3://BUCKET/RUN/exports/TARGET")
    store = Store(run)
    store.fetch()
    return store.fetch_export(target)


def local_copy(url: str) -> Path:
    """Where a run is worked on: in the user's cache folder, one place for every store and run."""
    bucket, folder = split(url)
    host = urlsplit(endpoint() or "//s3.amazonaws.com").netloc.replace(":", "-")
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return cache / "toolsight" / "runs" / host / bucket / folder
