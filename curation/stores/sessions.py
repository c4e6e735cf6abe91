"""Who writes to a run in an object store, and what the run consists of.

    claims/<session>          who is at work; put again and again while it is
    sessions/<session>.json   what the run consisted of when that session looked last

A session's name begins with its generation, and the run is what the session of the highest
generation says. So two sessions cannot mix their rows, whatever their clocks say and however late a
request of one that was believed dead arrives: nobody reads what it puts. That nobody starts beside
a session that lives is what claims are for. A store has no locks, and pyarrow puts no object on
condition; but whoever puts a claim and then lists all claims sees every claim that was put before,
so of two that start at once at least one sees the other, and it goes. What is left to clocks, and
to the store's alone, is how soon a session that died without a word is followed by another.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from curation.errors import RunError
from curation.stores.bucket import Bucket

CLAIMS, SESSIONS = "claims", "sessions"
_TRIES = 5


class Piece(NamedTuple):
    """An object that holds a file, or what was added to a growing one."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Index:
    """What a run consists of; its images, which are known by their content, are not told."""

    session: str
    files: Mapping[str, tuple[Piece, ...]] = field(default_factory=dict)
    """Path in the run folder to what it is made of, in order."""
    exports: Mapping[str, str] = field(default_factory=dict)
    """Target to a mark, another one whenever the export is put anew. Exports lie under their own
    names, and each is complete while its `export.json` is there."""

    def put(self, bucket: Bucket) -> None:
        bucket.put(_index_key(self.session), json.dumps(asdict(self)).encode())


def newest(bucket: Bucket) -> Index | None:
    """The run as it is now; null where none was begun."""
    found = _sessions(bucket)
    if not found:
        return None
    told = _told(bucket, _index_key(max(found)))
    files = {path: tuple(Piece(*each) for each in told["files"][path]) for path in told["files"]}
    _refuse_outside(bucket, [*files, *told["exports"]])
    return Index(told["session"], files, told["exports"])


def _told(bucket: Bucket, key: str) -> Any:
    """An index, read again where its end is missing: a session has put a longer one since the
    store was asked how long it is."""
    for _ in range(_TRIES):
        with suppress(json.JSONDecodeError):
            return json.loads(bucket.get(key))
    raise RunError(f"{bucket.url}/{key} is no index of a run: restore it, or delete the run")


def _refuse_outside(bucket: Bucket, paths: Collection[str]) -> None:
    """Whoever may write to the store may not write to other folders of this machine."""
    for path in paths:
        if any(part.startswith(".") for part in path.split("/")) or path.startswith("/"):
            raise RunError(f"{bucket.url} names a file {path!r}, which no run has: do not trust it")


def claim(bucket: Bucket, *, lease: float, dead: Collection[str] = ()) -> str:
    """Become the run's next session; its name.

    Args:
        lease: seconds after which a claim that was not renewed counts for nothing.
        dead: sessions that are known to have ended.

    Raises:
        RunError: another session is at work, or starts in this moment.
    """
    while True:
        known = {*_sessions(bucket), *bucket.names(CLAIMS)}
        generation = max(map(_generation, known), default=0) + 1
        session = f"{generation:06d}-{uuid.uuid4().hex[:8]}"
        renew(bucket, session)
        try:
            _refuse_others(bucket, session, lease, dead)
            if all(_generation(each) < generation for each in _sessions(bucket)):
                return session
        except BaseException:
            release(bucket, session)
            raise
        release(bucket, session)  # Another one came and went in between.


def _refuse_others(bucket: Bucket, own: str, lease: float, dead: Collection[str]) -> None:
    claims = bucket.names(CLAIMS)
    now = claims.pop(own)
    for session, renewed in claims.items():
        left = renewed + lease - now
        if session in dead or left <= 0:
            release(bucket, session)
            continue
        raise RunError(
            f"another session is writing to {bucket.url} ({_holder(bucket, session)}): wait for"
            f" it; if it was killed, its place is free in {left:.0f} seconds"
        )


def _holder(bucket: Bucket, session: str) -> str:
    try:
        return bucket.get(f"{CLAIMS}/{session}").decode()
    except FileNotFoundError:
        return "which ends just now"


def renew(bucket: Bucket, session: str) -> None:
    """Say that the session lives."""
    who = f"process {os.getpid()} on {socket.gethostname()}"
    bucket.put(f"{CLAIMS}/{session}", who.encode())


def release(bucket: Bucket, session: str) -> None:
    """Say that the session has ended."""
    bucket.delete(f"{CLAIMS}/{session}")


def refuse_follower(bucket: Bucket, session: str) -> None:
    """Raise RunError when another session has taken the run over."""
    if any(_generation(each) > _generation(session) for each in _sessions(bucket)):
        raise RunError(
            f"another session has gone on with {bucket.url}, since this one was not heard of for"
            " too long: wait for it, then run again"
        )


def forget(bucket: Bucket, session: str) -> None:
    """Remove what sessions before this one said of the run."""
    for each in _sessions(bucket):
        if _generation(each) < _generation(session):
            bucket.delete(_index_key(each))


def _sessions(bucket: Bucket) -> list[str]:
    return [name.removesuffix(".json") for name in bucket.names(SESSIONS)]


def _index_key(session: str) -> str:
    return f"{SESSIONS}/{session}.json"


def _generation(session: str) -> int:
    return int(session.partition("-")[0])
