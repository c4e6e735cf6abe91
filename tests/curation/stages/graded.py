"""A small run of free-form questions and predictions, ready to be graded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curation.job import Job
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from curation.stages.ingest import ingest
from schemas import Rollout
from tests.curation.scene import recipe_text, sum_sample

GOLDS = ("car", "dog")
"""The accepted answer of each sample."""


def things(*, limit: int = 2) -> Iterator[Any]:
    """Questions whose answers are words."""
    for number, gold in enumerate(GOLDS[:limit]):
        yield sum_sample(number, question=f"What is {number}?", answers=(gold,), answer_kind="text")


def recipe_of(judge: str = "", graders: str = "") -> str:
    text = recipe_text("http://localhost:1/v1", len(GOLDS))
    text = text.replace("tests.curation.scene:sums", "tests.curation.stages.graded:things")
    return text + judge + graders


def judge_table(url: str, settings: str = "") -> str:
    return f'\n[judge]\nurl = "{url}"\nmax_in_flight = 4\ntimeout = 5.0\n{settings}\n'


@contextmanager
def job_of(path: Path, text: str) -> Iterator[Job]:
    """A job over the run; what its reporter says is in `job.reporter.said`."""
    reporter = Silent()
    said: list[str] = []
    reporter.say = said.append  # type: ignore[method-assign]
    reporter.said = said  # type: ignore[attr-defined]
    with Job.open(parse_recipe(text, "graded"), Run(path), reporter) as job:
        ingest(job)
        yield job


def attempt(run: Run, predictions: Sequence[str | None], arm: str = "direct") -> None:
    """One rollout a prediction, sample by sample in turn."""
    with run.connect() as db:
        rows = db.execute("SELECT sample_id FROM samples ORDER BY origin_id").fetchall()
    samples = [sample for (sample,) in rows]
    rollouts = []
    for number, said in enumerate(predictions):
        place, turn = number % len(samples), number // len(samples)
        how = (arm, turn, "m", "direct", 0, ())
        rollouts.append(
            Rollout(f"{arm}-{number}", samples[place], *how, said, "answered", None, 0.0)
        )
    run.table("rollouts").append(arm, rollouts, {})


def scores(run: Run) -> dict[str, tuple[float | None, str]]:
    """Value and grader of every rollout."""
    with run.connect() as db:
        rows = db.execute("SELECT rollout_id, value, grader FROM scores ORDER BY 1").fetchall()
    return {rollout_id: (value, grader) for rollout_id, value, grader in rows}


def meaning(request: dict[str, Any]) -> list[str]:
    """A judge that knows that an automobile is a car, and nothing else."""
    case = json.loads(request["messages"][-1]["content"])
    same = "automobile" in case["response"] and "car" in case["accepted"]
    return [json.dumps({"reason": "so", "verdict": "right" if same else "wrong"})] * request["n"]
