from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.errors import RunError, StoreError
from curation.runs import Run
from curation.stores.bucket import Bucket
from tests.curation.stores.scripted_store import ScriptedStore


def test_objects_come_back_as_they_were_put(url: str, tmp_path: Path) -> None:
    bucket = Bucket.at(url)
    bucket.put("a/b.gz", b"as it is")
    bucket.put("a/b.gz", b"anew")
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 2**16)  # 16 MiB, which goes in parts
    bucket.put_file("a/large", large)
    bucket.put_file("middle", large, 255, 258)
    assert bucket.get("a/b.gz") == b"anew"
    assert bucket.get("middle") == b"\xff\x00\x01"
    with (tmp_path / "back").open("wb") as file:
        bucket.fetch("middle", file)
        bucket.fetch("a/large", file)
    assert (tmp_path / "back").read_bytes() == b"\xff\x00\x01" + large.read_bytes()
    assert {*bucket.names("a")} == {"b.gz", "large"} and {*bucket.names("")} == {"middle"}
    assert sorted(bucket.walk("")) == ["a/b.gz", "a/large", "middle"]
    assert bucket.folders() == ["a"]


def test_what_is_not_there_is_no_fault_of_the_store(url: str) -> None:
    bucket = Bucket.at(url)
    bucket.delete("nothing")
    assert bucket.names("nowhere") == {} and bucket.walk("nowhere") == []
    with pytest.raises(FileNotFoundError):
        bucket.get("nothing")


@pytest.mark.parametrize(
    "place", ["s3://bucket", "s3:///run", "gs://bucket/run", "s3://b/r?region=x", "s3://b/../r"]
)
def test_a_url_that_names_no_place_for_a_run(place: str) -> None:
    with pytest.raises(RunError, match="write s3://BUCKET/FOLDER"):
        Run.at(place)


def test_a_bucket_that_is_not_there(url: str) -> None:
    with pytest.raises(StoreError, match=r"there is no bucket 'nobody-made' at http://127.0.0.1"):
        Run.at("s3://nobody-made/run")


def test_a_bucket_that_went_away(url: str) -> None:
    bucket = Bucket("s3://gone/run", Bucket.at(url)._files, "gone/run")
    with pytest.raises(StoreError, match="there is no bucket 'gone'"):
        bucket.put("key", b"content")


def test_a_run_that_is_not_there(url: str) -> None:
    with pytest.raises(RunError, match=f"there is no run at {url}: `toolsight run` makes one"):
        Run.at(url)


class _Refusing(http.server.BaseHTTPRequestHandler):
    """What Amazon answers to whom it does not know."""

    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_PUT = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("credentials", [True, False])
def test_who_is_not_let_in_is_told_what_to_set(
    url: str, refusing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, credentials: bool
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", refusing)
    if not credentials:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreError, match=f"{refusing} refuses access.*set AWS_ACCESS_KEY_ID"):
        Run.at(url)


def test_a_store_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedStore() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
    with pytest.raises(StoreError, match=r"127.0.0.1:\d+ does not answer .*AWS_ENDPOINT_URL"):
        Run.at("s3://bucket/run")
