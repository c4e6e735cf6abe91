"""A run with every arm: what each shows to the model, and what the preset `toolsight` makes of
it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from curation.errors import RecipeError
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from tests.curation import scene
from tests.scripted_server import ScriptedServer, images_of, text_of

SAMPLES = 11
ARMS = """
[arms.text_only]
n = 2
[arms.oracle_crop]
n = 2
[arms.schema_only]
n = 2
[arms.placebo]
n = 8
kind = "blank"
[arms.confirm]
n = 8
[decide]
preset = "toolsight"
"""
USELESS = "What is 0 plus"
"""Solved with tools whatever they show."""

FATES = {"sum-0": "placebo", "sum-1": "cold_start", "sum-9": "cold_start", "sum-10": "rl"}


def recipe_text(url: str) -> str:
    text = scene.recipe_text(url, SAMPLES).split("[decide]")[0]
    return f"{text}{ARMS}[sandbox]\ncell_seconds = 120.0\n"


def reply(request: dict[str, Any]) -> Any:
    """The scene's policy; with tools it is right where it sees what it cropped."""
    if len(request["messages"]) < 4 or USELESS in text_of(request):
        return scene.reply(request)
    crop = Image.open(io.BytesIO(images_of(request)[-1])).convert("L")
    if crop.getextrema() == (255, 255):
        return ["<think>I see nothing.</think>\n<answer>0</answer>"] * request["n"]
    return scene.reply(request)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(reply) as scripted:
        yield scripted


@pytest.fixture(scope="module")
def run(server: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("arms") / "run")
    run_recipe(parse_recipe(recipe_text(server.url), "arms"), run, Silent())
    return run


def test_what_only_a_real_observation_solves_goes_to_rl(run: Run) -> None:
    with run.connect() as db:
        fates = db.execute("""
            SELECT origin_id, coalesce(split, dropped_by) FROM verdicts
            JOIN samples USING (sample_id) WHERE dropped_by IS DISTINCT FROM 'too_easy'
        """).fetchall()
    assert dict(fates) == FATES


def test_fresh_attempts_and_placebo_are_for_what_the_first_attempts_selected(run: Run) -> None:
    with run.connect() as db:
        tried = db.execute("""
            SELECT arm, list(origin_id ORDER BY origin_id), sum(planned) - sum(drawn)
            FROM counts JOIN samples USING (sample_id) WHERE arm <> 'direct' GROUP BY arm
        """).fetchall()
        seeds = db.execute("""
            SELECT count(DISTINCT seed), count(*) FROM rollouts WHERE arm LIKE '%direct'
        """).fetchone()
    by_arm = {arm: (samples, left) for arm, samples, left in tried}
    selected = ["sum-0", "sum-10"]
    for arm in ("tools", "schema_only", "text_only", "oracle_crop"):
        assert by_arm[arm][0] == sorted(FATES), arm
    for arm in ("placebo", "confirm_direct", "confirm_tools"):
        assert by_arm[arm] == (selected, 0), arm
    assert seeds is not None and seeds[0] == seeds[1]


def test_a_call_without_execution_is_unscored(run: Run) -> None:
    with run.connect() as db:
        rows = db.execute(
            "SELECT drawn, unscored, called FROM counts WHERE arm = 'schema_only'"
        ).fetchall()
        reasons = db.execute(
            "SELECT DISTINCT stop_reason FROM rollouts WHERE arm = 'schema_only'"
        ).fetchall()
    assert set(rows) == {(2, 2, 0)} and reasons == [("max_turns",)]


def test_every_arm_shows_its_own_images(run: Run, server: ScriptedServer) -> None:
    shown = {len(images_of(request)) for request in server.requests}
    assert shown == {0, 1, 2}
    with run.connect() as db:
        row = db.execute("""
            SELECT tool_benefit, tool_benefit_low, placebo_margin, confirmed FROM benefits
            JOIN samples USING (sample_id) WHERE origin_id = 'sum-10'
        """).fetchone()
    assert row is not None
    benefit, low, margin, confirmed = row
    assert confirmed and 0 < low < benefit and margin == 1.0


def test_prompts_are_kept_with_their_hashes(run: Run) -> None:
    kept = {path.name.partition("-")[0]: path for path in (run.path / "prompts").iterdir()}
    assert set(kept) >= {"direct", "text_only", "tools", "placebo", "confirm_tools"}
    assert "{question}" in kept["tools"].read_text()
    assert "<image>" not in kept["text_only"].read_text()


def test_a_crop_without_any_box_is_refused_before_the_first_request(tmp_path: Path) -> None:
    text = recipe_text("URL").replace("scene:sums", "scene:bare")
    with ScriptedServer(reply) as server:
        bare = parse_recipe(text.replace("URL", server.url), "bare")
        with pytest.raises(RecipeError, match="oracle_crop: no sample has an evidence box"):
            run_recipe(bare, Run(tmp_path), Silent())
        assert server.count == 0
