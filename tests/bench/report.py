"""How fast the page of a large run's report opens in Chromium, and what it weighs."""

from __future__ import annotations

import argparse
import hashlib
import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from curation.report import write_report
from curation.runs import Run
from schemas import Counts, Rollout, Sample, Score, Turn, Verdict, to_table
from tests.bench.figure import Figure
from tests.curation.report.chromium import browser, opened
from tests.curation.rows import sample

MOST_SECONDS = 2.0
MOST_MIB = 32.0

_SIZE = (800, 1100)
_IMAGES = 500
_ATTEMPTS = 8


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--samples", type=int, default=20_000, help="in the run (20,000)")
    command.add_argument("--cards", type=int, default=500, help="on the page (500)")


def measure(*, samples: int, cards: int) -> Iterator[Figure]:
    """Make a run, write its report and open it."""
    with tempfile.TemporaryDirectory() as name:
        run, path = Run(Path(name) / "run"), Path(name) / "report.html"
        fill(run, samples)
        started = time.perf_counter()
        write_report(run, path, cards=cards)
        print(f"report: written in {time.perf_counter() - started:.1f} s", flush=True)
        yield Figure(
            "report: the page", path.stat().st_size / 2**20, MOST_MIB, ceiling=True, unit="MiB"
        )
        yield Figure(
            f"report: {cards} cards open", seconds_to_open(path), MOST_SECONDS, ceiling=True,
            unit="s",
        )  # fmt: skip


def seconds_to_open(path: Path) -> float:
    """From the request until the page is loaded and its first picture is there; of three the
    middle one."""
    times = []
    with browser() as started:
        for _ in range(3):
            with opened(started, path) as (page, _complaints):
                page.keyboard.press("j")
                page.wait_for_function(
                    "document.querySelector('[aria-current] img').naturalWidth > 0"
                )
                times.append(page.evaluate("performance.now()") / 1000)
    return sorted(times)[1]


def fill(run: Run, count: int) -> None:
    """Samples with eight attempts each; each image, a page of noise, belongs to several."""
    random = np.random.default_rng(0)
    images = [run.images.put(_page(random)) for _ in range(min(count, _IMAGES))]
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    asked = [
        sample(name, source=f"source {place % 5}", image_ids=(images[place % len(images)],))
        for place, name in enumerate(names)
    ]
    run.table("samples").replace([to_table(Sample, asked)])
    run.table("verdicts").replace([to_table(Verdict, map(_verdict, range(count), names))])
    counts = [Counts(name, "direct", 8, 8, 4, 4, 0, 0, 0, 0) for name in names]
    run.table("counts").replace([to_table(Counts, counts)])
    tried = [_rollout(name, attempt) for name in names for attempt in range(_ATTEMPTS)]
    run.table("rollouts").replace([to_table(Rollout, tried)])
    scores = [
        Score(one.rollout_id, one.sample_id, "text", one.attempt % 2, "word", "equal")
        for one in tried
    ]
    run.table("scores").replace([to_table(Score, scores)])


def _page(random: np.random.Generator) -> bytes:
    """A printed page, as far as a codec can tell: dark rows of noise on white."""
    width, height = _SIZE
    pixels = np.full((height, width), 255, dtype=np.uint8)
    for top in range(40, height - 40, 26):
        pixels[top : top + 12, 60:-60] = random.choice((40, 255), (12, width - 120))
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _verdict(place: int, name: str) -> Verdict:
    kept = place % 3 == 0
    failed = () if kept else (f"rule_{place % 7}",)
    return Verdict(name, kept, failed[0] if failed else None, failed, "rl" if kept else None)


def _rollout(sample_id: str, attempt: int) -> Rollout:
    turns = (Turn("<answer>word</answer>", None, "stop", 100, 7),)
    name = hashlib.sha256(f"{sample_id}/{attempt}".encode()).hexdigest()
    return Rollout(
        name,
        sample_id,
        "direct",
        attempt,
        "made",
        "direct",
        1,
        turns,
        "word",
        "answered",
        None,
        1.0,
    )
