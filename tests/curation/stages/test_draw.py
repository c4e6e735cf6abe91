"""Curtailed sampling in the stages: the verdicts of the full draw, for fewer attempts."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.compare import compare
from curation.estimates.plans import points
from curation.estimates.rules import Tally
from curation.job import Job
from curation.recipes.file import parse_recipe
from curation.recipes.recipe import Recipe
from curation.rollouts.sampler import sample_seed
from curation.runs import Run
from curation.stage import Count
from curation.stages.count import benefit
from curation.stages.decide import decide
from curation.stages.draw import ahead, span
from curation.stages.grade import grade
from curation.stages.roll import roll
from tests.scripted_server import Fault, ScriptedServer, Text, images_of
from tests.simulator import BEFORE_REQUESTS, SimulatedPolicy, pass_rates, recipe_head

SAMPLES = 60
RATES = pass_rates("mixed", SAMPLES).tolist()
ARMS = """
[arms.direct]
n = 8
curtail = {curtail}
[arms.oracle_crop]
n = 4
curtail = {curtail}
[arms.tools]
n = 4
[decide]
preset = "{preset}"
"""


class Unsure(SimulatedPolicy):
    """Gives no answer at all in a fifth of the attempts."""

    def reply(self, request: dict[str, Any]) -> list[Text]:
        answers = super().reply(request)
        return [
            "I cannot tell." if (request["seed"] + i) % 5 == 0 else answer
            for i, answer in enumerate(answers)
        ]


def recipe(
    url: str, *, preset: str = "deepeyes-v2", curtail: bool = True, **changes: str
) -> Recipe:
    text = recipe_head(url, samples=SAMPLES, in_flight=8)
    text += ARMS.format(preset=preset, curtail=str(curtail).lower())
    for old, new in changes.items():
        text = text.replace(old, new)
    return parse_recipe(text, "drawn")


def run_arms(recipe: Recipe, run: Run, *arms: str) -> list[Count]:
    """The stages up to the verdicts, with these arms alone."""
    with Job.open(recipe, run) as job:
        for work in BEFORE_REQUESTS:
            work(job)
        counts = []
        for arm in arms:
            counts.append(roll(job, arm))
            grade(job)
            benefit(job)
        decide(job)
    return counts


def verdicts(run: Run) -> list[tuple[Any, ...]]:
    with run.connect() as db:
        rows = db.execute("FROM verdicts ORDER BY sample_id").fetchall()
    return rows


@pytest.mark.parametrize("preset", ["deepeyes-v2", "deepeyes"])
@pytest.mark.parametrize("policy", [SimulatedPolicy, Unsure])
def test_every_verdict_is_that_of_the_full_draw(
    tmp_path: Path, preset: str, policy: type[SimulatedPolicy]
) -> None:
    arms = ("direct", "oracle_crop") if preset == "deepeyes" else ("direct",)
    full, curtailed = Run(tmp_path / "full"), Run(tmp_path / "curtailed")
    with ScriptedServer(policy({"direct": RATES}).reply) as server:
        run_arms(recipe(server.url, preset=preset, curtail=False), full, *arms)
        drawn = run_arms(recipe(server.url, preset=preset), curtailed, *arms)[0]
    assert verdicts(curtailed) == verdicts(full)
    assert drawn.rows_in == SAMPLES * 8 and drawn.dropped > SAMPLES
    with curtailed.connect() as db:
        assert db.execute(
            "SELECT sum(planned), sum(drawn) FROM counts WHERE arm = 'direct'"
        ).fetchone() == (SAMPLES * 8, drawn.kept)


def test_a_wave_is_one_request_for_the_next_attempts(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with ScriptedServer(SimulatedPolicy({"direct": RATES}).reply) as server:
        run_arms(recipe(server.url), run, "direct")
    waves = defaultdict(list)
    for request in server.requests:
        waves[images_of(request)[0]].append((request["seed"], request["n"]))
    assert len(waves) == SAMPLES
    for asked in waves.values():
        assert asked[0][1] == 3  # fewer cannot decide at most 2 of 8
        assert len(asked) <= 4
        ends = [seed + n for seed, n in asked]
        assert [seed for seed, _ in asked[1:]] == ends[:-1]
    with run.connect() as db:
        rows = db.execute("SELECT sample_id, attempt, seed FROM rollouts").fetchall()
    assert all(seed == sample_seed(0, "direct", sample) + i for sample, i, seed in rows)


def test_a_settled_sample_owes_nothing_and_a_looser_rule_only_what_is_missing(
    tmp_path: Path,
) -> None:
    loose = {'preset = "deepeyes-v2"': 'preset = "deepeyes-v2"\nmax_direct_right = 5'}
    run, fresh = Run(tmp_path / "run"), Run(tmp_path / "fresh")
    with ScriptedServer(SimulatedPolicy({"direct": RATES}).reply) as server:
        run_arms(recipe(server.url), run, "direct")
        before, asked = attempts(run), server.count
        run_arms(recipe(server.url), run, "direct")
        assert server.count == asked and attempts(run) == before
        run_arms(recipe(server.url, **loose), run, "direct")
        assert server.count > asked and attempts(run) > before
        run_arms(recipe(server.url, **loose), fresh, "direct")
        assert verdicts(run) == verdicts(fresh)
        run_arms(recipe(server.url, curtail=False), run, "direct")
    assert len(attempts(run)) == SAMPLES * 8


def attempts(run: Run) -> set[tuple[str, int, str]]:
    with run.connect() as db:
        rows = db.execute("SELECT sample_id, attempt, prediction FROM rollouts").fetchall()
    return set(rows)


def test_what_was_drawn_and_not_yet_graded_counts_when_a_killed_run_goes_on(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    with ScriptedServer(SimulatedPolicy({"direct": RATES}).reply) as server:
        whole = recipe(server.url)
        run_arms(whole, run, "direct")
        before, asked = attempts(run), server.count
        run.table("scores").clear()
        with Job.open(whole, run) as job:
            count = roll(job, "direct")
    assert server.count == asked and attempts(run) == before
    assert count.kept == len(before)


def test_what_no_grader_can_score_is_drawn_in_full(tmp_path: Path) -> None:
    with ScriptedServer(lambda request: ["I cannot tell."] * request["n"]) as server:
        (count,) = run_arms(recipe(server.url), Run(tmp_path), "direct")
    assert (count.kept, count.dropped) == (SAMPLES * 8, 0)


def test_failed_waves_are_quarantined_and_the_sample_is_never_kept(tmp_path: Path) -> None:
    policy, run = SimulatedPolicy({"direct": RATES}), Run(tmp_path)

    def say(request: dict[str, Any]) -> Any:
        broken = "Sample 7:" in str(request["messages"])
        return Fault(status=400, message="no such thing") if broken else policy.reply(request)

    with ScriptedServer(say) as server:
        (count,) = run_arms(recipe(server.url), run, "direct")
    assert count.quarantined == 8
    assert run.value("SELECT count(*) FROM counts WHERE drawn = 0 AND planned = 8") == 1
    dropped = run.value("""SELECT dropped_by FROM verdicts JOIN samples USING (sample_id)
                           WHERE origin_id = 'sample-7'""")
    assert dropped == "too_easy:unscored"


SCREEN = {
    "n = 8": "n = 64",
    'preset = "deepeyes-v2"': 'preset = "screen"',
    "limit = 60": "limit = 160",
}
STATED = [0.05, 0.25, 0.75, 0.95] * 40
"""The rates that the preset `screen` has to tell apart, where it errs most."""


def test_screen_keeps_its_error_for_a_part_of_the_attempts(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with ScriptedServer(SimulatedPolicy({"direct": STATED}).reply) as server:
        whole = recipe(server.url, **SCREEN)
        (count,) = run_arms(whole, run, "direct")
    with run.connect() as db:
        rows = db.execute("""
            SELECT correct, wrong, kept, dropped_by, split, origin_id[8:]::INT FROM verdicts
            JOIN samples USING (sample_id) JOIN counts USING (sample_id) WHERE arm = 'direct'
        """).fetchall()
    (rule,) = (condition.rule for condition in whole.preset.conditions({"direct": 64}))
    assert rule is not None and len(rows) == len(STATED)
    for right, wrong, kept, dropped_by, split, _ in rows:
        tally = Tally(right, wrong)
        assert (kept, dropped_by) == (rule.verdict(tally), rule.failed(tally))
        assert split == ("rl" if kept else None)
        assert points(rule)[right, wrong].final  # and not one attempt later
    errors = sum(kept is not (0.25 <= STATED[number] <= 0.75) for _, _, kept, _, _, number in rows)
    assert 0 < errors / len(STATED) <= 0.05
    fates = compare(run).fates
    assert fates["screen"] == fates["recipe"] and sum(fates["screen"].values()) == len(STATED)
    assert count.rows_in == len(STATED) * 64 and count.kept < count.rows_in / 3


def test_what_screen_has_settled_owes_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with ScriptedServer(Unsure({"direct": STATED}).reply) as server:
        whole = recipe(server.url, **SCREEN | {"limit = 60": "limit = 30"})
        run_arms(whole, run, "direct")
        before, asked = verdicts(run), server.count
        run_arms(whole, run, "direct")
    assert server.count == asked and verdicts(run) == before


def test_a_wave_never_spans_a_gap() -> None:
    owed = {0: "a", 1: "b", 4: "c", 5: "d"}
    assert span(owed, 8) == {0: "a", 1: "b"}
    assert span(owed, 1) == {0: "a"}
    assert span({4: "c"}, 3) == {4: "c"}


def test_units_are_made_ahead_in_another_thread_and_an_error_ends_them() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(10):
            if number == 7:
                raise ValueError("no eighth")
            made.append(threading.get_ident())
            yield number

    units = ahead(numbers(), 3)
    assert next(units) == 0 and len(made) >= 3
    taken = []
    with pytest.raises(ValueError, match="no eighth"):
        for number in units:
            taken.append(number)
    assert taken == [1, 2, 3, 4, 5]
    assert len(made) == 7 and threading.get_ident() not in made


def test_units_that_nobody_takes_are_left() -> None:
    numbers = iter(range(1000))
    units = ahead(numbers, 2)
    assert next(units) == 0
    units.close()
    assert next(numbers) <= 4
