"""A folder of an object store, in which an object appears whole or not at all.

Every fault of the store becomes a sentence (StoreError); an object that is not there is a
FileNotFoundError. Calls block and may come from several threads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from pyarrow import fs

from curation.errors import RunError, StoreError

SCHEME = "s3://"
_CHUNK = 8 * 2**20
_CONNECT_SECONDS, _REQUEST_SECONDS = 5.0, 15.0
_CODE = re.compile(r"AWS Error (\w+) during")
_REFUSALS = ("ACCESS", "SIGNATURE", "TOKEN", "CLIENT", "AUTHENTICATION", "EXPIRED", "CREDENTIALS")
"""In the names of the AWS errors that say that somebody else is let in, or nobody."""


def is_url(place: str) -> bool:
    """Whether a place is named by a URL rather than a path."""
    return "://" in place


def endpoint() -> str | None:
    """Where the store is, if it is not Amazon's: what the AWS tools read from the environment."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def split(url: str) -> tuple[str, str]:
    """Bucket and folder of a URL.

    Raises:
        RunError: it names none.
    """
    parts = urlsplit(url)
    folder = parts.path.strip("/")
    plain = not parts.query and not parts.fragment and ".." not in folder.split("/")
    if not url.startswith(SCHEME) or not parts.netloc or not folder or not plain:
        raise RunError(
            f"{url} names no folder of an object store: write s3://BUCKET/FOLDER, with the"
            " address of a store other than Amazon's in AWS_ENDPOINT_URL"
        )
    return parts.netloc, folder


@dataclass(frozen=True, slots=True)
class Bucket:
    """A folder of a bucket; keys are relative to it."""

    url: str
    _files: Any
    """A `pyarrow.fs.FileSystem`."""
    _base: str

    @classmethod
    def at(cls, url: str) -> Bucket:
        """The folder that a URL names, once its bucket has answered.

        Credentials, region and endpoint come from the environment and the files that the AWS
        tools read.

        Raises:
            RunError: the URL names no folder.
            StoreError: there is no such bucket, or nobody is let in.
        """
        name, folder = split(url)
        with _told(url):
            files = fs.S3FileSystem(
                region=_region(name),
                endpoint_override=endpoint(),
                connect_timeout=_CONNECT_SECONDS,
                request_timeout=_REQUEST_SECONDS,
                # What is put is in memory or on the disk, and a first request that only looks
                # whether the bucket is there would double the price of every small object.
                allow_delayed_open=True,
                background_writes=False,
            )
            if files.get_file_info(name).type == fs.FileType.NotFound:
                raise StoreError(_no_bucket(url))
        return cls(url, files, f"{name}/{folder}")

    def put(self, key: str, content: bytes) -> None:
        """Store an object, in place of the one that has this key."""
        with _told(self.url), self._writing(key) as stream:
            stream.write(content)

    def put_file(self, key: str, path: Path, start: int = 0, end: int | None = None) -> None:
        """Store a file, or its bytes from `start` to `end`, without holding it in memory."""
        left = (path.stat().st_size if end is None else end) - start
        with path.open("rb") as file, _told(self.url), self._writing(key) as stream:
            file.seek(start)
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                stream.write(chunk)
                left -= len(chunk)

    def get(self, key: str) -> bytes:
        """An object's bytes."""
        with _told(self.url), self._reading(key) as stream:
            content: bytes = stream.read()
        return content

    def fetch(self, key: str, file: BinaryIO) -> None:
        """Write an object to the end of a file."""
        with _told(self.url), self._reading(key) as stream:
            while chunk := stream.read(_CHUNK):
                file.write(chunk)

    def names(self, folder: str) -> dict[str, float]:
        """The objects that lie in a folder, and when each was put by the store's own clock."""
        return {
            entry.base_name: entry.mtime.timestamp()
            for entry in self._list(folder)
            if entry.type == fs.FileType.File
        }

    def folders(self) -> list[str]:
        """The folders that hold objects."""
        found = self._list("")
        return [entry.base_name for entry in found if entry.type == fs.FileType.Directory]

    def walk(self, folder: str) -> list[str]:
        """The keys of all objects in a folder and in the folders in it."""
        found = self._list(folder, recursive=True)
        start = len(self._base) + 1
        return [entry.path[start:] for entry in found if entry.type == fs.FileType.File]

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        with suppress(FileNotFoundError), _told(self.url):
            self._files.delete_file(self._path(key))

    def _path(self, key: str) -> str:
        return f"{self._base}/{key}" if key else self._base

    def _writing(self, key: str) -> Any:
        return self._files.open_output_stream(self._path(key), compression=None)

    def _reading(self, key: str) -> Any:
        return self._files.open_input_stream(self._path(key), compression=None)

    def _list(self, folder: str, *, recursive: bool = False) -> list[Any]:
        wanted = fs.FileSelector(self._path(folder), recursive=recursive, allow_not_found=True)
        with _told(self.url):
            found: list[Any] = self._files.get_file_info(wanted)
        return found


def _region(bucket: str) -> str:
    """Other stores than Amazon's take any; Amazon's own tell where the bucket is."""
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if named or endpoint():
        return named or "us-east-1"
    region: str = fs.resolve_s3_region(bucket)
    return region


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Errors of the store in words; what is not there stays a FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno is not None:  # Of this machine's disk, not of the store.
            raise
        raise StoreError(_sentence(url, str(error))) from error


def _sentence(url: str, error: str) -> str:
    found = _CODE.search(error)
    code = found[1] if found else ""
    if code == "NO_SUCH_BUCKET" or ("Bucket" in error and "not found" in error):
        return _no_bucket(url)
    if any(word in code for word in _REFUSALS):
        return (
            f"{_store()} refuses access to {url} ({code}): set AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to credentials that may list, read, write and"
            " delete there"
        )
    return (
        f"{_store()} does not answer for {url} ({code or error.strip()}): look at the network, at"
        " the credentials and at AWS_ENDPOINT_URL"
    )


def _no_bucket(url: str) -> str:
    return f"there is no bucket {split(url)[0]!r} at {_store()}: make it, or correct {url}"


def _store() -> str:
    return endpoint() or "Amazon S3"
