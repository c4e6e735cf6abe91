"""Rollouts a second of the direct stage over those of a bare asyncio client (median of rounds)."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from curation.dialects import get_dialect
from curation.dialects.base import IMAGE
from curation.embedded import CHECKPOINT
from curation.job import Job, check_model
from curation.models import ManagedServer
from curation.recipes.file import parse_recipe
from curation.recipes.recipe import Recipe
from curation.rollouts.sampler import sample_seed
from curation.runs import Run
from curation.stage import query_rows
from curation.stages.ingest import ingest
from curation.stages.measure import measure as measure_samples
from curation.stages.roll import roll
from curation.stages.screen import find_duplicates, screen
from tests.bench import bare
from tests.bench.figure import Figure

BAR = 0.90
ATTEMPTS = 8
MAX_TOKENS = 64

_RECIPE = """
[[sources]]
use = "charts"
split = "test"
limit = {charts}
[[sources]]
use = "documents"
split = "test"
limit = {documents}
[policy]
url = "{url}"
max_tokens = {max_tokens}
max_in_flight = {in_flight}
[arms.direct]
n = {attempts}
curtail = false
[decide]
preset = "deepeyes"
fine_grained = []
"""


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--model", type=Path, default=CHECKPOINT, help="checkpoint to serve")
    command.add_argument("--samples", type=int, default=96, help="samples a round (96)")
    command.add_argument("--rounds", type=int, default=5, help="pairs of measurements (5)")
    command.add_argument("--in-flight", type=int, default=16, help="requests at once (16)")


def measure(*, model: Path, samples: int, rounds: int, in_flight: int) -> Iterator[Figure]:
    """Serve the model, let both sides ask the same, and compare."""
    with tempfile.TemporaryDirectory() as folder, ManagedServer(model) as server:
        pair = prepare(Path(folder), server.url, samples=samples, in_flight=in_flight)
        warm(pair)
        ratios = [compare(pair, number) for number in range(1, rounds + 1)]
    yield Figure("direct: rate of the stage over a bare client's", statistics.median(ratios), BAR)


@dataclass(frozen=True, slots=True)
class Pair:
    """What both sides start from: a run that is screened, and the recipe that it has."""

    recipe: Recipe
    run: Run
    samples: int


def prepare(folder: Path, url: str, *, samples: int, in_flight: int) -> Pair:
    """Everything before the direct stage, which is not measured; a part of the rows are charts."""
    text = _RECIPE.format(
        url=url,
        charts=samples // 2,
        documents=samples - samples // 2,
        in_flight=in_flight,
        attempts=ATTEMPTS,
        max_tokens=MAX_TOKENS,
    )
    recipe, run = parse_recipe(text, "direct"), Run(folder / "run")
    with Job.open(recipe, run) as job:
        for work in (ingest, measure_samples, find_duplicates, screen):
            work(job)
    return Pair(recipe, run, run.value("SELECT count(*) FROM screens WHERE kept"))


def warm(pair: Pair) -> None:
    """Ask everything once, so that the server holds all images and prompts for either side."""
    bare_rate(pair, 0)
    stage_rate(pair, 0)


def compare(pair: Pair, number: int) -> float:
    """One round: the stage's rate over the bare client's.

    Both sides draw with the same seeds, so the server has the same to generate; rounds differ in
    seed and in who comes first.
    """
    sides: list[Callable[[Pair, int], float]] = [stage_rate, bare_rate]
    order = sides if number % 2 else sides[::-1]
    rates = {side: side(pair, number) for side in order}
    stage, plain = rates[stage_rate], rates[bare_rate]
    print(f"direct: round {number}: stage {stage:.1f}/s, bare client {plain:.1f}/s", flush=True)
    return stage / plain


def stage_rate(pair: Pair, seed: int) -> float:
    """Rollouts a second of the whole stage: what is owed, requests, rollouts on disk, count."""
    pair.run.table("rollouts").clear()
    with Job.open(replace(pair.recipe, seed=seed), pair.run) as job:
        started = time.perf_counter()
        count = roll(job, "direct")
        seconds = time.perf_counter() - started
    if count.kept != ATTEMPTS * pair.samples:
        raise RuntimeError(f"{count.quarantined} requests of the stage failed: see the server")
    return count.kept / seconds


def bare_rate(pair: Pair, seed: int) -> float:
    """Rollouts a second of the bare client; the replies are only counted."""
    requests, shared = requests_of(pair, seed), shared_of(pair)
    started = time.perf_counter()
    replies = asyncio.run(bare.ask_all(requests, shared))
    return sum(map(len, replies)) / (time.perf_counter() - started)


def requests_of(pair: Pair, seed: int) -> list[bare.Request]:
    """The requests of the stage, in its order."""
    rows = query_rows(
        pair.run,
        """SELECT sample_id, question, image_ids FROM screens JOIN samples USING (sample_id)
           WHERE kept ORDER BY image_ids, sample_id""",
    )
    requests = []
    for row in rows:
        system, user = get_dialect("direct").opening(row["question"], 1)
        requests.append(
            bare.Request(
                system=system.content,
                user=user.content.removeprefix(IMAGE),
                image=pair.run.images.path(row["image_ids"][0]),
                seed=sample_seed(seed, "direct", row["sample_id"]),
            )
        )
    return requests


def shared_of(pair: Pair) -> bare.Shared:
    policy = pair.recipe.policy
    fields = {
        "model": check_model(policy),
        "n": ATTEMPTS,
        "temperature": policy.temperature,
        "top_p": policy.top_p,
        "max_tokens": policy.max_tokens,
        "stop": list(get_dialect("direct").stop),
        "include_stop_str_in_output": True,
    }
    return bare.Shared(policy.endpoints[0], policy.max_in_flight, fields)
