"""Output tokens a second of a server with curtailed sampling, over those without it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from curation.estimates.rules import CountRule, Tally
from curation.job import Job
from curation.recipes.file import parse_recipe
from curation.runs import Run
from curation.stage import query_rows
from curation.stages.roll import roll
from tests.bench.figure import Figure
from tests.scripted_server import ScriptedServer
from tests.simulator import (
    BEFORE_REQUESTS,
    RIGHT,
    ServiceTime,
    SimulatedPolicy,
    pass_rates,
    recipe_head,
)

BAR = 0.90
MOST_OVER_LEAST = 1.05
REPLY_SECONDS = 1.0
"""How long a reply holds its slot, as long as a hundred words."""
_WORDS = 100
_SLOTS = 128
_ARMS = """
[arms.direct]
n = 8
curtail = {curtail}
[arms.tools]
n = 8
[arms.oracle_crop]
n = 8
[decide]
preset = "{preset}"
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the direct stage drew, and how busy it kept the server."""

    replies: int
    requests: int
    seconds: float
    used: float
    """Share of the server's slot-seconds that were spent on replies."""
    least: int
    """Attempts up to the first after which the verdict cannot change, over all samples."""
    verdicts: Mapping[str, bool]
    """By sample."""

    @property
    def rate(self) -> float:
        """Replies a second; all replies have the same length."""
        return self.replies / self.seconds


def options(command: argparse.ArgumentParser) -> None:
    """Each default is what the bars are stated for."""
    command.add_argument("--samples", type=int, default=2000, help="samples of the pool (2000)")


def measure(samples: int) -> Iterator[Figure]:
    """Both presets of the papers on a mixed pool."""
    for preset in ("deepeyes-v2", "deepeyes"):
        full, curtailed = (run(preset, samples, curtail) for curtail in (False, True))
        for name, outcome in (("full draw", full), ("curtailed", curtailed)):
            print(
                f"busy: {preset}, {name}: {outcome.replies:,} replies to {outcome.requests:,}"
                f" requests in {outcome.seconds:.1f} s, server used to {outcome.used:.0%}",
                flush=True,
            )
        title = f"busy: {preset}: output tokens a second, curtailed over full"
        yield Figure(title, curtailed.rate / full.rate, BAR)
        title = f"busy: {preset}: attempts over those of drawing one at a time"
        yield Figure(title, curtailed.replies / full.least, MOST_OVER_LEAST, ceiling=True)
        other = sum(full.verdicts[sample] != curtailed.verdicts[sample] for sample in full.verdicts)
        yield Figure(f"busy: {preset}: verdicts unlike the full draw's", other, 0, ceiling=True)


def run(preset: str, samples: int, curtail: bool) -> Outcome:
    """The direct stage of a run of its own, against a server that takes its time."""
    service = ServiceTime(
        slots=_SLOTS, prompt_seconds=REPLY_SECONDS / 20, word_seconds=REPLY_SECONDS / _WORDS
    )
    policy = SimulatedPolicy({"direct": pass_rates("mixed", samples).tolist()}, words=_WORDS)
    with (
        TemporaryDirectory() as folder,
        ScriptedServer(policy.reply, service=service.serve, record=False) as server,
    ):
        text = recipe_head(server.url, samples=samples, in_flight=32)
        text += _ARMS.format(preset=preset, curtail=str(curtail).lower())
        with Job.open(parse_recipe(text, "busy"), Run(Path(folder) / "run")) as job:
            for work in BEFORE_REQUESTS:
                work(job)
            started, busy = time.perf_counter(), service.busy
            count = roll(job, "direct")
            seconds = time.perf_counter() - started
            rule = job.recipe.preset.conditions(job.recipe.arms.planned())[0].rule
            assert rule is not None
            tallies = stopped(job.run, rule)
        used = (service.busy - busy) / (_SLOTS * seconds)
        least = sum(tally.drawn for tally in tallies.values())
        verdicts = {sample: rule.verdict(tally) is True for sample, tally in tallies.items()}
        return Outcome(count.kept, server.count, seconds, used, least, verdicts)


def stopped(run: Run, rule: CountRule) -> dict[str, Tally]:
    """Every sample's attempts, one at a time in their order until the rule is settled."""
    sql = f"""SELECT sample_id, list(prediction = '{RIGHT}' ORDER BY attempt) AS outcomes
              FROM rollouts GROUP BY 1"""
    tallies = {}
    for row in query_rows(run, sql):
        tally = Tally(0, 0)
        for right in row["outcomes"]:
            if rule.verdict(tally) is None:
                tally = Tally(tally.right + right, tally.wrong + (not right))
        tallies[row["sample_id"]] = tally
    return tallies
