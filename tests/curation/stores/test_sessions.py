from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from curation.errors import RunError
from curation.stores.bucket import Bucket
from curation.stores.copy import fetch
from curation.stores.session import Pace, Session
from curation.stores.sessions import Index, Piece, claim, newest, release

SLOW = Pace(every=3600.0)
"""For sessions that put what they have when they are closed."""


def test_of_sessions_that_start_at_once_at_most_one_has_the_run(url: str) -> None:
    bucket, threads = Bucket.at(url), 6
    taken: list[str] = []
    for _ in range(4):
        gate = threading.Barrier(threads)

        def start(gate: threading.Barrier = gate) -> str | None:
            gate.wait()
            try:
                return claim(bucket, lease=60)
            except RunError:
                return None

        with ThreadPoolExecutor(threads) as pool:
            won = [name for name in pool.map(lambda _: start(), range(threads)) if name]
        assert len(won) <= 1
        for name in won:
            release(bucket, name)
        alone = claim(bucket, lease=60)  # Who was refused has left nothing behind.
        release(bucket, alone)
        taken += [*won, alone]
        Index(alone).put(bucket)
    assert len({*taken}) == len(taken)


def test_a_session_that_lives_is_told_of_and_a_dead_one_is_followed(url: str) -> None:
    bucket = Bucket.at(url)
    first = claim(bucket, lease=60)
    with pytest.raises(RunError, match=rf"another session is writing to {url} \(process \d+ on "):
        claim(bucket, lease=60)
    second = claim(bucket, lease=0)
    assert second > first and {*bucket.names("claims")} == {second}
    assert claim(bucket, lease=60, dead=[second]) > second


def test_what_a_session_puts_that_was_followed_counts_no_more(url: str, tmp_path: Path) -> None:
    bucket, here, there = Bucket.at(url), tmp_path / "here", tmp_path / "there"
    for machine in (here, there):
        (machine / "rollouts").mkdir(parents=True)
    paused, follower = Session(bucket, here, SLOW), Session(bucket, there, Pace(lease=0.0))
    paused.open()
    follower.open()
    (here / "rollouts" / "direct-00000.parquet").write_text("of the first")
    (there / "rollouts" / "direct-00000.parquet").write_text("of the second")
    with pytest.raises(RunError, match=f"another session has gone on with {url}"):
        paused.close(broken=False)
    # Were it to look no more and put its index as well, nobody would read it.
    late = Index(paused._name, {"rollouts/direct-00001.parquet": (Piece("late", 4),)})
    late.put(bucket)
    follower.close(broken=False)
    reader = tmp_path / "reader"
    fetch(bucket, reader)
    parts = {path.name: path.read_text() for path in (reader / "rollouts").iterdir()}
    assert parts == {"direct-00000.parquet": "of the second"}


def test_every_version_of_every_writer_has_a_name_of_its_own(url: str, tmp_path: Path) -> None:
    bucket, keys = Bucket.at(url), set()
    for machine in (tmp_path / "one", tmp_path / "other"):
        session = Session(bucket, machine, SLOW)
        session.open()
        for _ in range(3):
            keys.add(session._new_key("rollouts/direct-00000.parquet"))
        session.close(broken=False)
    assert len(keys) == 6


def test_what_killed_sessions_have_put_and_nobody_reads_is_deleted(
    url: str, tmp_path: Path
) -> None:
    bucket = Bucket.at(url)
    bucket.put("rollouts/direct-00000.000001-dead-0.parquet", b"never named")
    session = Session(bucket, tmp_path, SLOW)
    session.open()
    (tmp_path / "manifest.json").write_text("{}")
    session.close(broken=False)
    index = newest(bucket)
    assert index is not None
    named = [piece.key for pieces in index.files.values() for piece in pieces]
    assert sorted(bucket.walk("")) == sorted([*named, f"sessions/{index.session}.json"])


def test_a_store_that_names_files_outside_of_a_run_is_refused(url: str, tmp_path: Path) -> None:
    bucket = Bucket.at(url)
    Index("000001-foreign", {"../.bashrc": (Piece("key", 1),)}).put(bucket)
    with pytest.raises(RunError, match=r"names a file '../.bashrc', which no run has"):
        fetch(bucket, tmp_path)


def test_an_index_that_is_put_anew_while_it_is_read_is_read_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, whole = Bucket.at(url), Bucket.get
    Index("000001-a", {"recipe.toml": (Piece("recipe.toml", 1),)}).put(bucket)
    lengths = [20, None]
    monkeypatch.setattr(Bucket, "get", lambda self, key: whole(self, key)[: lengths.pop(0)])
    found = newest(bucket)
    assert found is not None and found.files == {"recipe.toml": (Piece("recipe.toml", 1),)}
    lengths += [20] * 5
    with pytest.raises(RunError, match="is no index of a run"):
        newest(bucket)
