"""Write speed of an export over plain pyarrow for the same bytes, and its peak memory."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image as Pillow

from curation.exporters import ExportRow, get_target, write_export
from curation.exporters.base import Target
from curation.images import ImageStore
from curation.stages.export import unchanged
from schemas import Message, Sample, Trajectory
from tests.bench.figure import Figure

LEAST_SPEED = 0.7
MOST_GIB = 1.5
TARGETS = ("verl", "verl-sft")
"""One for RL, whose images were decoded before, and one for SFT, which decodes observations."""

_SIDE = 640
_ROOT = Path(__file__).parents[2]


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--gib", type=float, default=2.0, help="bytes of images (2)")
    command.add_argument("--folder", type=Path, help="where to write; by default the temporary one")


def measure(*, gib: float, folder: Path | None) -> Iterator[Figure]:
    """Fill a store with images of `gib`, then write them in both ways, each in its own process."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        count = fill(ImageStore(place / "images"), int(gib * 2**30))
        for target in TARGETS:
            ours, plain = (_seconds(place, target, side) for side in ("toolsight", "pyarrow"))
            title = f"export: {target}"
            print(f"{title}: {count} images: {ours[0]:.1f} s, pyarrow {plain[0]:.1f} s", flush=True)
            yield Figure(f"{title}: speed over plain pyarrow's", plain[0] / ours[0], LEAST_SPEED)
            yield Figure(f"{title}: peak memory", ours[1], MOST_GIB, ceiling=True, unit="GiB")


def fill(store: ImageStore, size: int) -> int:
    """Store noise as PNG, which no codec shrinks, until the store holds so many bytes."""
    random, written, count = np.random.default_rng(0), 0, 0
    while written < size:
        path = store.folder / f"{count}.png"
        pixels = random.integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)
        path.parent.mkdir(exist_ok=True)
        Pillow.fromarray(pixels).save(path, compress_level=0)
        encoded = path.read_bytes()
        path.unlink()
        store.put(encoded)
        written, count = written + len(encoded), count + 1
    return count


def _seconds(place: Path, target: str, side: str) -> tuple[float, float]:
    """Seconds of one side, and its peak memory in GiB."""
    os.sync()
    command = [sys.executable, "-m", "tests.bench.export", str(place), target, side]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=_ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the side {side} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 2**20  # Linux counts KiB.


def examples(store: ImageStore, kind: str = "rl") -> Iterator[ExportRow]:
    """What the export stage reads: images by their id, with their hash checked."""
    for path in sorted(store.folder.glob("*/*.png")):
        sample = Sample(
            path.stem, "noise", path.stem, "How many?", ("4",), "number", (), (path.stem,), (),
            "perception", "CC0-1.0", "benchmark", "{}",
        )  # fmt: skip
        images = [unchanged(store, path.stem)]
        if kind == "rl":
            yield ExportRow(sample, images, "deepeyes", decoded=True)
        else:
            yield ExportRow(sample, images, "deepeyes-v2", trajectory=_trajectory(path.stem))


def _trajectory(name: str) -> Trajectory:
    messages = (
        Message("user", "<image>\nHow many?"),
        Message("assistant", "<think>\nFour.\n</think>\n<answer>4</answer>"),
    )
    return Trajectory(name, name, name, "deepeyes-v2", messages, (name,), 0, 12)


def write_plainly(target: Target, store: ImageStore, out: Path) -> None:
    """The same rows in one file, 32 a row group, on the disk when done."""
    rows: list[dict[str, Any]] = []
    with out.open("wb") as sink, pq.ParquetWriter(sink, target.SCHEMA) as writer:
        for example in examples(store, target.KIND):
            index = example.sample.sample_id
            rows.append(target.row(example, index=index, split="train"))
            if len(rows) == 32:
                writer.write_table(pa.Table.from_pylist(rows, target.SCHEMA))
                rows = []
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, target.SCHEMA))
    with out.open("rb") as done:
        os.fsync(done.fileno())


if __name__ == "__main__":
    here, chosen, side = Path(sys.argv[1]), get_target(sys.argv[2]), sys.argv[3]
    if side == "pyarrow":
        write_plainly(chosen, ImageStore(here / "images"), here / "plain.parquet")
    else:
        rows = examples(ImageStore(here / "images"), chosen.KIND)
        write_export(chosen.NAME, rows, here / chosen.NAME)
