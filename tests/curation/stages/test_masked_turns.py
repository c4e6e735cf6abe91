"""The error-turn policy `mask`: a failed turn, or one wrong on purpose, is left out of the loss
where a target can say so, and its row is left out where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curation.exporters import check_exports
from curation.exporters.manifest import read_manifest
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from curation.sources import RawSample
from tests.curation.scene import picture, recipe_text, reply, sum_sample
from tests.scripted_server import Fault, ScriptedServer

TARGETS = ("ms-swift", "llamafactory", "verl-sft", "trl", "ms-swift-dpo")
BROKEN = "<think>I draw it.</think>\n<code>\n```python\nshow(image_9)\n```\n</code>"
WRONG = "<think>I think it is less.</think>\n<answer>-1</answer>"


def stumbling(request: dict[str, Any]) -> list[str] | Fault:
    """The scene's model, whose teacher names an image that is not there in some attempts and mends
    it, and guesses in others."""
    said = [message["content"] for message in request["messages"]]
    replies = reply_after_all(request, said)
    if request["temperature"] == 1 or len(said) > 2 or isinstance(replies, Fault):
        return replies
    instead = {0: WRONG, 1: BROKEN}
    return [instead.get((request["seed"] + i) % 3, text) for i, text in enumerate(replies)]


def stumbled(said: list[Any]) -> bool:
    return len(said) > 2 and said[2] == BROKEN


def reply_after_all(request: dict[str, Any], said: list[Any]) -> list[str] | Fault:
    """What the scene's model says to the conversation without the turn that failed."""
    if stumbled(said):
        messages = request["messages"]
        return reply({**request, "messages": [*messages[:2], *messages[4:]]})
    return reply(request)


def large(*, limit: int = 12) -> Iterator[RawSample]:
    """The scene's sums in pictures with room for a wrong place to look at."""
    return (sum_sample(number, images=(picture(number, 256),)) for number in range(limit))


def run_with(folder: Path, url: str, policy: str, *, teach: str = "", attempts: int = 4) -> Run:
    tables = "\n".join(f'[[exports]]\ntarget = "{target}"' for target in TARGETS)
    text = recipe_text(url, 12).split("[[exports]]")[0] + tables
    settings = f'rl_share = 1.0\nper_sample = 9\npairs = 9\nerror_turns = "{policy}"\n{teach}'
    run = Run(folder)
    text = text.replace("attempts = 2", f"attempts = {attempts}\n{settings}")
    text = text.replace(
        "tests.curation.scene:sums", "tests.curation.stages.test_masked_turns:large"
    )
    recipe = parse_recipe(text, "stumbling")
    run_recipe(recipe, run, Silent())
    return run


def rows_of(run: Run, target: str) -> list[dict[str, Any]]:
    shards = sorted(run.export_path(target).glob("train-*.parquet"))
    return [row for shard in shards for row in pq.read_table(shard).to_pylist()]


def flags(row: dict[str, Any]) -> list[bool | None]:
    """What is said of the assistant's turns."""
    return [each["loss"] for each in row["messages"] if each["role"] == "assistant"]


def test_a_policy_decides_without_a_request_what_becomes_of_a_failed_turn(tmp_path: Path) -> None:
    with ScriptedServer(stumbling) as server:
        run = run_with(tmp_path / "run", server.url, "drop")
        assert {len(row["messages"]) for row in rows_of(run, "ms-swift")} == {5}
        asked = server.count
        run_with(tmp_path / "run", server.url, "keep")
        kept = rows_of(run, "ms-swift")
        assert {len(row["messages"]) for row in kept} == {5, 7}
        assert {flag for row in kept for flag in flags(row)} == {None}
        assert read_manifest(run.export_path("verl-sft")).left_out == {}
        run_with(tmp_path / "run", server.url, "mask")
        assert server.count == asked
    masked_where_it_can_be(run)
    left_out_where_it_cannot(run)
    chosen_sides_are_left_out(run)


def masked_where_it_can_be(run: Run) -> None:
    rows = rows_of(run, "ms-swift")
    assert {tuple(flags(row)) for row in rows if row["messages"][2]["content"] == BROKEN} == {
        (False, None, None)
    }
    assert {tuple(flags(row)) for row in rows if row["messages"][2]["content"] != BROKEN} == {
        (None, None)
    }
    assert list(check_exports([run.export_path("ms-swift")])) == []
    (found, *_) = check_exports([run.export_path("ms-swift")], "llamafactory")
    assert "loss: bool" in found.sentence


def left_out_where_it_cannot(run: Run) -> None:
    masked = sum(False in flags(row) for row in rows_of(run, "ms-swift"))
    for target in ("llamafactory", "verl-sft", "trl"):
        manifest = read_manifest(run.export_path(target))
        assert manifest.left_out == {"masked_turns": masked}
        assert manifest.rows == len(rows_of(run, "ms-swift")) - masked > 0
    told = pq.read_table(run.export_path("trl") / "records" / "left_out.parquet").to_pylist()
    assert "assistant turn 1 is to be left out of the loss" in told[0]["sentence"]


def chosen_sides_are_left_out(run: Run) -> None:
    with run.connect() as db:
        chosen = db.execute("SELECT chosen FROM pairs").fetchall()
    bad = sum(any(message["content"] == BROKEN for message in said) for (said,) in chosen)
    manifest = read_manifest(run.export_path("ms-swift-dpo"))
    assert 0 < bad < len(chosen)
    assert (manifest.left_out, manifest.rows) == ({"masked_turns": bad}, len(chosen) - bad)


def test_the_first_step_of_a_plan_that_errs_on_purpose_is_masked(tmp_path: Path) -> None:
    def guided(request: dict[str, Any]) -> list[str] | Fault:
        *before, last = (str(message["content"]) for message in request["messages"])
        if "A note about your next step" in last:
            return ["<think>I look there.</think>"] * request["n"]
        if request["temperature"] < 1 and len(before) > 3:
            return [_answer(request)] * request["n"]
        return reply(request)

    with ScriptedServer(guided) as scripted:
        teach = 'guided = 2\nplans = ["correct", "look"]'
        run = run_with(tmp_path / "run", scripted.url, "mask", teach=teach, attempts=1)
    with run.connect() as db:
        plans = dict(
            db.execute("SELECT trajectory_id, written_by.plan FROM trajectories").fetchall()
        )
        ids = db.execute(
            "SELECT row_id FROM read_parquet($1) ORDER BY split, position",
            [str(run.export_path("ms-swift") / "records" / "provenance.parquet")],
        ).fetchall()
    found = {
        (plans[row_id], flags(row)[0])
        for (row_id,), row in zip(ids, rows_of(run, "ms-swift"), strict=True)
    }
    assert ("correct", False) in found
    assert {flag for plan, flag in found if plan != "correct"} <= {None}


def _answer(request: dict[str, Any]) -> str:
    text = str(request["messages"][1]["content"])
    left, right = text.split("What is ")[1].split("?")[0].split(" plus ")
    return f"<think>It says so.</think>\n<answer>{int(left) + int(right)}</answer>"
