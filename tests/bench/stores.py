"""What putting a run into an object store costs: processor time, requests, speed on loopback."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from curation.images import ImageStore
from curation.stores.bucket import Bucket
from curation.stores.copy import captured, fetch
from curation.stores.session import Pace, Session
from schemas import Image
from tests.bench.figure import Figure

BAR = 10.0
_SERVER = """
import sys
from tests.curation.stores.scripted_store import ScriptedStore
with ScriptedStore() as store:
    print(store.address, store.new_bucket(), flush=True)
    sys.stdin.read()
"""
_PARTS, _PART_BYTES = 200, 2**18
_COUNTED = ("put", "put_file", "get", "names", "walk", "folders", "delete")


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bar is stated for."""
    command.add_argument("--images", type=int, default=2000, help="images of the run (2000)")
    command.add_argument("--kib", type=int, default=100, help="KiB of an image (100)")


def measure(*, images: int, kib: int) -> Iterator[Figure]:
    """A store in a process of its own, so that its work is not counted as ours."""
    with TemporaryDirectory() as work, _store() as url:
        folder, bucket, asked = Path(work) / "here", Bucket.at(url), Counter[str]()
        _session(bucket, folder)  # A run that the store does not know is not taken for its copy.
        _fill(folder, images, kib * 1024)
        with _counting(asked):
            busy, started = time.process_time(), time.perf_counter()
            _session(bucket, folder)
            busy, seconds = time.process_time() - busy, time.perf_counter() - started
        size = (images * kib / 1024) + _PARTS * _PART_BYTES / 2**20
        told = ", ".join(f"{name} {count:,}" for name, count in asked.most_common())
        print(
            f"stores: {size:.0f} MiB put in {seconds:.1f} s, {images / seconds:.0f} images a second"
        )
        print(f"stores: asked of the store: {told}")
        started = time.perf_counter()
        known = fetch(bucket, Path(work) / "there")
        print(f"stores: {_PARTS} parts fetched in {time.perf_counter() - started:.2f} s")
        started = time.perf_counter()
        with captured(Path(work) / "there", known.files):
            pass
        print(f"stores: a look at what changed: {1000 * (time.perf_counter() - started):.1f} ms")
    each = 1000 * busy / (images + _PARTS)
    yield Figure("stores: processor time an object", each, BAR, ceiling=True, unit="ms")


def _session(bucket: Bucket, folder: Path) -> None:
    """Put what lies in the folder."""
    session = Session(bucket, folder, Pace())
    session.open()
    session.close(broken=False)


def _fill(folder: Path, images: int, size: int) -> None:
    """Files as a run has them; what is in them does not matter to a store."""
    chance = random.Random(7)
    store = ImageStore(folder / "images")
    for number in range(images):
        name = f"{chance.getrandbits(256):064x}"
        store.put(chance.randbytes(size), Image(name, 1, 1, "PNG", number))
    (folder / "rollouts").mkdir()
    for number in range(_PARTS):
        part = folder / "rollouts" / f"direct-{number:05d}.parquet"
        part.write_bytes(chance.randbytes(_PART_BYTES))


@contextmanager
def _store() -> Iterator[str]:
    """The URL of a run in a new store, with the environment that leads there."""
    command = [sys.executable, "-c", _SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        address, bucket = server.stdout.readline().split()
        credentials = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "secret"}
        with patch.dict(os.environ, {"AWS_ENDPOINT_URL": address} | credentials):
            yield f"s3://{bucket}/run"
        server.communicate()


@contextmanager
def _counting(asked: Counter[str]) -> Iterator[None]:
    """Count what is asked of the store, by kind."""
    originals = {name: getattr(Bucket, name) for name in _COUNTED}

    def counted(name: str) -> None:
        def call(bucket: Bucket, *arguments: object) -> object:
            asked[name] += 1
            return originals[name](bucket, *arguments)

        setattr(Bucket, name, call)

    for name in _COUNTED:
        counted(name)
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(Bucket, name, original)
