"""What compose keeps: the shortest or a diverse set, a share without tools, and pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.dialects.base import IMAGE
from curation.errors import RecipeError
from curation.job import Job
from curation.progress import Reporter, Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from curation.stages.choose import shares
from curation.stages.compose import compose
from curation.stages.verify import verify_stage
from schemas import Pair, Rollout, Sample, ToolCall, Turn, Verification, from_table
from tests.curation.scene import picture, recipe_text

Fault = tuple[str, str, int]
"""Rollout, check and turn."""
ANSWERS = {"good": "42", "bad": "17"}


def sample(sample_id: str) -> Sample:
    return Sample(
        sample_id=sample_id,
        source="sums",
        origin_id=sample_id,
        question=f"What is {sample_id}?",
        answers=("42",),
        answer_kind="number",
        choices=(),
        image_ids=(sample_id * 8,),
        evidence=(),
        category="perception",
        license="CC0-1.0",
        origin="tests",
        metadata="{}",
    )


def rollout(name: str) -> Rollout:
    """`name` is sample, outcome, number of actions and a word that its thoughts hold."""
    sample_id, outcome, actions, word = name.split("-")
    turns = [
        Turn(
            f"Step {number} {'first' if number == 0 else word}: " + word * 40 * bool(number),
            ToolCall("python", f"{number}", f"seen {IMAGE}", "", "", (f"crop{number}",), None, 0),
            "stop",
            0,
            5,
        )
        for number in range(int(actions))
    ]
    final = Turn(f"{word * 40} <answer>{ANSWERS[outcome]}</answer>", None, "stop", 0, 5)
    return Rollout(
        rollout_id=name,
        sample_id=sample_id,
        arm="teacher",
        attempt=0,
        model="m",
        dialect="deepeyes-v2",
        seed=0,
        turns=(*turns, final),
        prediction=ANSWERS[outcome],
        stop_reason="answered",
        error=None,
        seconds=0.0,
    )


class Told(Silent):
    """Remembers what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def recipe_with(teach: str) -> str:
    return recipe_text("http://127.0.0.1:1").replace("attempts = 2", f"attempts = 2\n{teach}")


def composed(
    folder: Path,
    *names: str,
    teach: str = "",
    flagged: str = "",
    faults: tuple[Fault, ...] = (),
    seed: int = 7,
    reporter: Reporter | None = None,
) -> Run:
    """A run in which these rollouts were verified; `flagged` does not survive re-indentation, and
    `faults` are more findings against a rollout."""
    text = recipe_with(teach).replace("seed = 7", f"seed = {seed}")
    recipe, run = parse_recipe(text, "scene"), Run(folder / "run")
    rollouts = [rollout(name) for name in names]
    rows = [
        Verification(r.rollout_id, r.sample_id, "correct", "good" in r.rollout_id, "graded")
        for r in rollouts
    ]
    rows += [
        Verification(r.rollout_id, r.sample_id, "trainer_replay", r.rollout_id != flagged, "read")
        for r in rollouts
    ]
    rows += [
        Verification(name, name[0], check, False, "seen", turn) for name, check, turn in faults
    ]
    with Job.open(recipe, run, reporter) as job:
        samples = {r.sample_id: sample(r.sample_id) for r in rollouts}
        for each in samples.values():  # Near duplicates are compared by where they look.
            path = run.images.folder / each.image_ids[0][:2] / f"{each.image_ids[0]}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(1))
        run.table("samples").append("ingest", list(samples.values()), {})
        run.table("rollouts").append("teacher", rollouts, {})
        run.table("verifications").append("verify", rows, verify_stage(recipe).settings)
        compose(job).check()
    return run


def kept(run: Run) -> list[str]:
    found: list[str] = run.value("SELECT list(rollout_id ORDER BY rollout_id) FROM trajectories")
    return found or []


REQUIRE = 'require = ["trainer_replay"]'
ATTEMPTS = ("a-good-1-fox", "a-good-1-owl", "a-good-2-hen", "a-bad-1-cat", "b-good-0-dog")


@pytest.mark.parametrize(
    ("teach", "expected"),
    [
        ("", ["a-good-1-fox"]),
        ("per_sample = 2", ["a-good-1-fox", "a-good-1-owl"]),
        ('per_sample = 2\nchoose = "diverse"', ["a-good-1-fox", "a-good-2-hen"]),
        ("per_sample = 9", ["a-good-1-fox", "a-good-1-owl", "a-good-2-hen"]),
        ("min_tool_calls = 2", ["a-good-2-hen"]),
        ("direct_share = 0.5", ["a-good-1-fox", "b-good-0-dog"]),
        ("direct_share = 0.1", ["a-good-1-fox"]),
        ("min_tool_calls = 0", ["a-good-1-fox", "b-good-0-dog"]),
    ],
)
def test_what_is_chosen(tmp_path: Path, teach: str, expected: list[str]) -> None:
    assert kept(composed(tmp_path, *ATTEMPTS, teach=teach)) == expected


def reasons(run: Run) -> dict[str, str | None]:
    with run.connect() as db:
        return dict(db.execute("SELECT rollout_id, dropped_by FROM choices").fetchall())


def test_every_verified_rollout_has_its_reason(tmp_path: Path) -> None:
    more = ("a-good-0-ant", "b-good-0-cow", "c-good-0-eel")
    run = composed(tmp_path, *ATTEMPTS, *more, teach="direct_share = 0.5")
    told = reasons(run)
    direct = {name: told.pop(name) for name in ("b-good-0-dog", "b-good-0-cow", "c-good-0-eel")}
    assert told == {
        "a-good-1-fox": None,
        "a-good-1-owl": "per_sample",
        "a-good-2-hen": "per_sample",
        "a-good-0-ant": "solved_with_tools",
    }
    # Of one sample only one is wanted, and half of the trajectories are one more.
    assert sorted(map(str, direct.values())) == ["None", "direct_share", "per_sample"]
    flagged = composed(tmp_path / "2", *ATTEMPTS, flagged="a-good-1-fox", teach=REQUIRE)
    assert reasons(flagged)["a-good-1-fox"] == "trainer_replay"


def test_a_mix_drops_by_lot_what_it_has_no_room_for(tmp_path: Path) -> None:
    names = [f"{letter}-good-{1 if letter < 'g' else 2}-{letter * 3}" for letter in "abcdefghi"]
    mix = 'mix = { tool_calls = { "1" = 0.5, "2+" = 0.5 }, keep = 0.1 }'
    run = composed(tmp_path / "1", *names, teach=mix)
    assert len(kept(run)) == 6
    assert {name for name in kept(run) if "-2-" in name} == set(names[6:])
    assert set(reasons(run).values()) == {None, "mix"}
    assert kept(composed(tmp_path / "2", *names, teach=mix)) == kept(run)
    other = composed(tmp_path / "3", *names, teach=mix, seed=8)
    assert len(kept(other)) == 6
    teach = parse_recipe(recipe_with(mix), "scene").teach
    assert teach is not None
    told = {(each.part, each.value): each for each in shares(run, teach)}
    assert (told["tool_calls", "1"].rows, told["tool_calls", "1"].of) == (3, 6)
    assert told["tool_calls", "2+"].met and told["kind", "tools"].wanted is None


def test_a_share_that_cannot_be_met_is_told(tmp_path: Path) -> None:
    said = Told()
    mix = 'mix = { tool_calls = { "1" = 0.5, "2" = 0.5 } }'
    composed(tmp_path, "a-good-1-fox", "b-good-1-owl", teach=mix, reporter=said)
    assert [line for line in said.lines if "misses" in line] == [
        "the mix misses tool_calls 1: 100.0% where 50.0% was wanted, 2 of 2 verified rollouts"
        " with it",
        "the mix misses tool_calls 2: 0.0% where 50.0% was wanted, 0 of 0 verified rollouts"
        " with it",
    ]


def test_a_flag_counts_where_the_recipe_requires_it(tmp_path: Path) -> None:
    flagged = "a-good-1-fox"
    assert kept(composed(tmp_path / "1", *ATTEMPTS, flagged=flagged)) == [flagged]
    run = composed(tmp_path / "2", *ATTEMPTS, flagged=flagged, teach=REQUIRE)
    assert kept(run) == ["a-good-1-owl"]


def test_of_trajectories_alike_the_first_is_kept_and_the_others_say_why(tmp_path: Path) -> None:
    run = composed(tmp_path, "a-good-1-fox", "a-good-1-foxes", teach="per_sample = 9")
    alike = composed(tmp_path / "2", "a-good-1-fox", "a-good-1-Fox", teach="per_sample = 9")
    assert kept(run) == ["a-good-1-fox", "a-good-1-foxes"]
    assert kept(alike) == ["a-good-1-Fox"]
    assert "like rollout a-good-1-Fox" in alike.value(
        """SELECT evidence FROM verifications WHERE "check" = 'near_duplicate' AND NOT passed"""
    )


def test_pairs_part_where_the_rollouts_do(tmp_path: Path) -> None:
    run = composed(tmp_path, *ATTEMPTS, "a-bad-0-bee", "c-bad-1-ant", teach="pairs = 1")
    with run.connect() as db:
        (pair,) = from_table(Pair, db.sql("FROM pairs").to_arrow_table())
    assert (pair.chosen_rollout, pair.rejected_rollout) == ("a-good-1-fox", "a-bad-1-cat")
    assert [message.role for message in pair.prompt] == ["system", "user", "assistant", "user"]
    assert pair.prompt_images == ("a" * 8, "crop0")
    assert "42" in pair.chosen[0].content and "17" in pair.rejected[0].content
    assert (pair.chosen_images, pair.rejected_images, pair.rejected_by) == ((), (), ("correct",))
    assert (pair.step, pair.fault_turn) == (True, None)


@pytest.mark.parametrize(
    ("turn", "chosen", "rejected"),
    [
        (2, ["assistant"], ["assistant"]),
        (3, ["assistant", "user", "assistant"], ["assistant", "user", "assistant"]),
    ],
)
def test_pair_ends_where_the_fault_is_if_they_part_there(
    tmp_path: Path, turn: int, chosen: list[str], rejected: list[str]
) -> None:
    fault = ("a-bad-2-cat", "boxes", turn)
    run = composed(tmp_path, "a-good-2-fox", fault[0], teach="pairs = 1", faults=(fault,))
    with run.connect() as db:
        (pair,) = from_table(Pair, db.sql("FROM pairs").to_arrow_table())
    assert [message.role for message in pair.prompt] == ["system", "user", "assistant", "user"]
    assert [message.role for message in pair.chosen] == chosen
    assert [message.role for message in pair.rejected] == rejected
    assert (pair.step, pair.fault_turn, pair.rejected_by) == (turn == 2, turn, ("boxes", "correct"))
    assert bool(pair.rejected_images) == (turn == 3)


def test_no_pairs_unless_asked_for(tmp_path: Path) -> None:
    assert composed(tmp_path, *ATTEMPTS).value("SELECT count(*) FROM pairs") == 0


@pytest.mark.parametrize(
    "setting",
    [
        'error_turns = "hide"',
        'choose = "best"',
        'require = ["leak"]',
        "direct_share = 1.0",
        "support = -1",
    ],
)
def test_settings_out_of_range_are_told(setting: str) -> None:
    text = recipe_with(setting)
    with pytest.raises(RecipeError, match=setting.split()[0]):
        parse_recipe(text, "scene")
