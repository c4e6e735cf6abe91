from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from curation.errors import RunError
from curation.stores.bucket import Bucket
from curation.stores.copy import Known, captured, fetch
from curation.stores.session import Pace, Session
from curation.stores.sessions import newest

SLOW = Pace(every=3600.0)


@contextmanager
def session(bucket: Bucket, folder: Path) -> Iterator[None]:
    """What is written in it is put when it ends."""
    opened = Session(bucket, folder, SLOW)
    opened.open()
    yield
    opened.close(broken=False)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def replace(path: Path, text: str) -> None:
    new = path.with_name("." + path.name)
    new.write_text(text)
    new.rename(path)


def test_a_capture_is_the_run_at_one_moment_while_it_is_written(tmp_path: Path) -> None:
    """Rows go from the journal to parts, and parts into one, and are always somewhere."""
    journal, rows = tmp_path / "journal" / "direct.jsonl", tmp_path / "rollouts"
    journal.parent.mkdir()
    rows.mkdir()
    journal.write_text("")
    done, last = threading.Event(), 400

    def roll() -> None:
        for number in range(last):
            with journal.open("a") as file:
                file.write(f"{number}\n")
            if number % 5 == 4:
                replace(
                    rows / f"{number:05}", "".join(f"{n}\n" for n in range(number - 4, number + 1))
                )
                replace(journal, "")
            if number % 50 == 49:
                parts = sorted(rows.glob("[0-9]*"))
                replace(rows / f"all-{number:05}", "".join(part.read_text() for part in parts))
                for part in parts:
                    part.unlink()
        done.set()

    writer = threading.Thread(target=roll)
    writer.start()
    seen = []
    while not done.is_set() or not seen:
        with captured(tmp_path, {}) as now:
            texts = [
                each.held.read_bytes()[: each.stamp.size] for each in now.values() if each.held
            ]
        found = {int(line) for text in texts for line in text.split()}
        assert found == {*range(len(found))}
        seen.append(len(found))
    writer.join()
    assert seen == sorted(seen)


def test_only_what_changed_is_put_and_a_growing_file_by_its_growth(
    url: str, tmp_path: Path
) -> None:
    bucket, here = Bucket.at(url), tmp_path / "here"
    with session(bucket, here):
        write(here / "samples" / "ingest-00000.parquet", "rows")
        write(here / "searches.jsonl", "one\n")
        write(here / "logs" / "server.log", "of this machine")
    before = newest(bucket)
    with session(bucket, here):
        with (here / "searches.jsonl").open("a") as file:
            file.write("two\nhalf a li")
        replace(here / "manifest.json", "{}")
    after = newest(bucket)
    assert before is not None and after is not None
    kept = before.files["samples/ingest-00000.parquet"]
    assert after.files["samples/ingest-00000.parquet"] == kept
    first, growth = after.files["searches.jsonl"]
    assert (first,) == before.files["searches.jsonl"]
    assert bucket.get(growth.key) == b"two\nhalf a li"
    fetch(bucket, tmp_path / "there")
    assert (tmp_path / "there" / "searches.jsonl").read_text() == "one\ntwo\nhalf a li"
    assert {*after.files} == {"samples/ingest-00000.parquet", "searches.jsonl", "manifest.json"}


def test_what_was_not_put_is_given_up_when_the_run_went_on_elsewhere(
    url: str, tmp_path: Path
) -> None:
    bucket, here, there = Bucket.at(url), tmp_path / "here", tmp_path / "there"
    with session(bucket, here):
        write(here / "rollouts" / "a", "put")
    write(here / "rollouts" / "b", "not put")
    fetch(bucket, here)
    assert (here / "rollouts" / "b").exists()  # Nobody else has written to the run since.
    with session(bucket, there):
        write(there / "rollouts" / "c", "of the other machine")
        (there / "rollouts" / "a").unlink()
    fetch(bucket, here)
    assert {path.name for path in (here / "rollouts").iterdir()} == {"c"}


def test_a_folder_whose_session_was_killed_puts_what_was_not_put(url: str, tmp_path: Path) -> None:
    bucket = Bucket.at(url)
    killed = Session(bucket, tmp_path, SLOW)
    killed.open()
    killed._stop.set()  # As after a kill: nothing more is put, and the claim stays.
    killed._thread.join()
    write(tmp_path / "manifest.json", "{}")
    with session(bucket, tmp_path):
        pass
    index = newest(bucket)
    assert index is not None and {*index.files} == {"manifest.json"}
    assert Known.read(tmp_path).index(index.session) == index


def test_a_run_that_was_deleted_from_the_store_is_not_begun_again_by_its_copy(
    url: str, tmp_path: Path
) -> None:
    bucket = Bucket.at(url)
    with session(bucket, tmp_path):
        write(tmp_path / "samples" / "a", "rows")
    for key in bucket.walk(""):
        bucket.delete(key)
    refused = pytest.raises(
        RunError, match=f"there is no run at {url} any more.*delete that folder"
    )
    with refused, session(bucket, tmp_path):
        pass


def test_an_export_is_complete_or_none(url: str, tmp_path: Path) -> None:
    bucket, export = Bucket.at(url), tmp_path / "here" / "exports" / "verl"
    with session(bucket, tmp_path / "here"):
        write(export / "records" / "provenance.parquet", "who")
        write(export / "train-00000.parquet", "shard")
        write(export / "train-00001.parquet", "another")
        write(export / "export.json", "{}")
    names = {*bucket.walk("exports/verl")}
    assert len(names) == 4
    with session(bucket, tmp_path / "here"):
        (export / "train-00001.parquet").unlink()
        replace(export / "export.json", '{"rows": 1}')
    assert names - {*bucket.walk("exports/verl")} == {"exports/verl/train-00001.parquet"}
    assert bucket.get("exports/verl/export.json") == b'{"rows": 1}'
    bucket.delete("exports/verl/export.json")  # As while it is put anew.
    fetch(bucket, tmp_path / "there")
    assert not (tmp_path / "there" / "exports" / "verl").exists()
