"""Whole runs over the scene: what is kept, what is paid again and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curation.errors import RunError, ServerError, StaleSettingsError
from curation.exporters import ExportSettings
from curation.exporters.writer import SPLITS
from curation.manifest import read_manifest
from curation.pipeline import export_target, run_recipe
from curation.progress import Silent
from curation.recipes.file import load_recipe, parse_recipe
from curation.recipes.recipe import Arms, Export, Recipe
from curation.runs import Run
from curation.stages.export import export_rows
from curation.verification import HOLDS
from schemas import Author
from tests.curation.scene import picture, recipe_text, reply
from tests.scripted_server import Fault, ScriptedServer

SAMPLES = 18


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(reply) as scripted:
        yield scripted


@pytest.fixture(scope="module")
def finished(server: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is done; tests that use it leave it as it is."""
    run = Run(tmp_path_factory.mktemp("runs") / "scene")
    run_recipe(recipe(server), run, Silent())
    return run


def recipe(server: ScriptedServer, **replaced: str) -> Recipe:
    text = recipe_text(server.url, SAMPLES)
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return parse_recipe(text, "scene")


def changed(recipe: Recipe, old: str, new: str, server: ScriptedServer) -> Recipe:
    text = recipe_text(server.url, SAMPLES)
    assert old in text
    return parse_recipe(text.replace(old, new), recipe.name)


def test_every_sample_ends_somewhere(finished: Run) -> None:
    assert finished.value("SELECT count(*) FROM verdicts") == SAMPLES
    outcomes = finished.value("""
        SELECT list(outcome ORDER BY outcome) FROM (
            SELECT DISTINCT coalesce(split, dropped_by) AS outcome FROM verdicts)
    """)
    assert outcomes == ["cold_start", "rl", "too_easy"]


def test_the_next_session_knows_counts_of_all_samples_by_what_they_were_made_from(
    server: ScriptedServer, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")

    def session() -> dict[str, str]:
        run_recipe(recipe(server), run, Silent())
        stages = read_manifest(run).stages
        return {name: stages[name].made_from for name in ("measure", "direct", "grade")}

    first = session()
    assert all(first.values())
    assert session() == first


def test_only_undecided_samples_are_tried_with_tools(finished: Run) -> None:
    tried = finished.value("SELECT count(DISTINCT sample_id) FROM rollouts WHERE arm = 'tools'")
    easy = finished.value("SELECT count(*) FROM verdicts WHERE dropped_by = 'too_easy'")
    assert tried == SAMPLES - easy


def test_rl_and_sft_shards_hold_the_bytes_of_the_source(finished: Run) -> None:
    rl = read_shards(finished, "deepeyes-v2")
    sft = read_shards(finished, "llamafactory")
    assert len(rl) == finished.value("SELECT count(*) FROM verdicts WHERE split = 'rl'") > 0
    assert len(sft) == finished.value("SELECT count(*) FROM trajectories") > 0
    pictures = {picture(number) for number in range(SAMPLES)}
    assert all(row["images"][0]["bytes"] in pictures for row in rl + sft)
    assert all(len(row["images"]) == 2 for row in sft)


def test_an_export_tells_who_made_its_rows_and_keeps_images_apart(
    finished: Run, tmp_path: Path
) -> None:
    job_recipe = load_recipe(finished.recipe_path)
    for target in ("hub", "trl"):
        settings = ExportSettings(val_share=0.5, seed=3)
        rows = list(export_rows(finished, job_recipe, Export(target, settings)))
        taught = Author("teacher", "scripted", "url", "")
        authors = {row.trajectory and row.trajectory.written_by for row in rows}
        assert authors == ({None} if target == "hub" else {taught})
        assert {row.policy for row in rows} == ({"scripted"} if target == "hub" else {""})
        sides = {split: {r.images[0] for r in rows if r.split == split} for split in SPLITS}
        assert all(sides.values()) and not sides["train"] & sides["val"]
        other = export_rows(finished, job_recipe, Export(target, ExportSettings(seed=4)))
        ids = [row.sample.sample_id for row in rows]
        again = [row.sample.sample_id for row in other]
        assert ids != again and sorted(ids) == sorted(again)


def test_the_recipe_beside_an_export_names_no_server(finished: Run) -> None:
    told = (finished.export_path("llamafactory") / "records" / "recipe.toml").read_text()
    assert "[policy]" in told and "seed = 7" in told and "127.0.0.1" not in told


def read_shards(run: Run, target: str) -> list[dict[str, Any]]:
    shards = sorted(run.export_path(target).glob("*.parquet"))
    return [row for shard in shards for row in pq.read_table(shard).to_pylist()]


def test_cold_start_samples_become_verified_trajectories(finished: Run) -> None:
    with finished.connect() as db:
        rows = db.execute(f"""
            SELECT split, bool_and({HOLDS}) FROM verifications
            JOIN verdicts USING (sample_id) WHERE "check" <> 'near_duplicate' GROUP BY split
        """).fetchall()
    assert rows == [("cold_start", True)]
    # Both attempts at a sample say the same, so that one of them is kept.
    assert finished.value("""SELECT count(*) FROM verifications
        WHERE "check" = 'near_duplicate' AND NOT passed""") == finished.value(
        "SELECT count(*) FROM trajectories"
    )


def test_the_manifest_adds_up(finished: Run) -> None:
    manifest = read_manifest(finished)
    for entry in manifest.stages.values():
        assert entry.rows_in == entry.kept + entry.dropped + entry.quarantined
    direct = manifest.stages["direct"]
    assert direct.rows_in == SAMPLES * 8 and 0 < direct.dropped < direct.kept
    assert manifest.models == dict.fromkeys(("direct", "teacher", "tools"), "scripted")
    assert manifest.sandbox["network"]
    assert manifest.exports["deepeyes-v2"].rows > 0


def test_the_manifest_says_what_every_stage_asked_and_what_a_kept_sample_cost(
    finished: Run,
) -> None:
    manifest = read_manifest(finished)
    assert list(manifest.traffic) == ["direct", "tools", "teacher"]
    direct = manifest.traffic["direct"]["scripted"]
    assert 0 < direct.requests == direct.sent and direct.retries == direct.failures == 0
    assert direct.completion_tokens == manifest.usage["direct"].completion_tokens
    assert direct.prompt_tokens == manifest.usage["direct"].prompt_tokens
    assert 0 < direct.busy_seconds <= direct.open_seconds
    kept = finished.value("SELECT count(*) FROM verdicts WHERE kept")
    assert manifest.costs["tokens_a_kept_sample"] * kept == pytest.approx(manifest.costs["tokens"])
    assert manifest.costs["money"] == 0 and manifest.costs["gpu_seconds"] > 0


def test_a_second_run_owes_nothing(finished: Run, server: ScriptedServer) -> None:
    files = {path: path.stat().st_mtime_ns for path in finished.path.rglob("*-0*.parquet")}
    paid = {path: time for path, time in files.items() if not path.name.startswith("all")}
    asked = server.count
    said: list[str] = []
    reporter = Silent()
    reporter.say = said.append  # type: ignore[method-assign]
    run_recipe(recipe(server), finished, reporter)
    assert server.count == asked
    assert said[-1].startswith("nothing was owed")
    assert all(path.stat().st_mtime_ns == time for path, time in paid.items())


def test_other_sampling_is_refused_before_anything_is_asked(
    finished: Run, server: ScriptedServer
) -> None:
    asked = server.count
    hotter = changed(recipe(server), "max_tokens = 64\n", "max_tokens = 65\n", server)
    with pytest.raises(StaleSettingsError, match="max_tokens was 64 and is now 65"):
        run_recipe(hotter, finished, Silent())
    assert server.count == asked


def drawn_in_full(recipe: Recipe) -> Recipe:
    """The recipe's arms without curtailment, and nothing after the verdicts."""
    arms = {
        name: dataclasses.replace(arm, curtail=False) for name, arm in recipe.arms.run().items()
    }
    return dataclasses.replace(recipe, arms=Arms(**arms), teach=None, exports=())


def test_thresholds_filters_and_n_change_without_losing_what_was_paid(
    server: ScriptedServer, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    base = drawn_in_full(recipe(server))
    strict = drawn_in_full(changed(base, "at_least = 28", "at_least = 65", server))
    run_recipe(strict, run, Silent())
    assert run.value("SELECT count(*) FROM rollouts") == 0  # every image has 64 pixels a side
    run_recipe(base, run, Silent())
    before = rollouts(run)
    assert len({key for key in before if key[1] == "direct"}) == SAMPLES * 8

    run_recipe(strict, run, Silent())
    assert run.value("SELECT count(*) FROM verdicts WHERE kept") == 0
    assert rollouts(run) == before

    asked = server.count
    easier = changed(base, "[decide]", "[decide]\nmin_tools_right = 4", server)
    run_recipe(drawn_in_full(easier), run, Silent())
    assert server.count == asked and rollouts(run) == before

    more = changed(base, "[arms.direct]\nn = 8", "[arms.direct]\nn = 10", server)
    run_recipe(drawn_in_full(more), run, Silent())
    after = rollouts(run)
    assert before.items() <= after.items()
    assert sum(key[1] == "direct" for key in after) == SAMPLES * 10


def rollouts(run: Run) -> dict[tuple[str, str, int], str]:
    with run.connect() as db:
        rows = db.execute(
            "SELECT sample_id, arm, attempt, rollout_id || coalesce(prediction, '') FROM rollouts"
        ).fetchall()
    return {(sample, arm, attempt): value for sample, arm, attempt, value in rows}


def failing(numbers: range) -> Any:
    """The scene's model, refusing every request about some of the samples."""

    def say(request: dict[str, Any]) -> Any:
        text = str(request["messages"])
        if any(f"What is {number} plus" in text for number in numbers):
            return Fault(status=400, message="no such sum")
        return reply(request)

    return say


def test_failed_requests_are_quarantined_and_retried_when_asked(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with ScriptedServer(failing(range(3))) as server:
        short = drawn_in_full(recipe(server))
        run_recipe(short, run, Silent())
        assert run.value("SELECT count(*) FROM quarantine WHERE stage = 'direct'") == 3 * 8
        message = run.value("SELECT any_value(message) FROM quarantine")
        assert "no such sum" in message and "--retry-quarantined" in message
        kept = run.value("""SELECT count(*) FROM verdicts JOIN samples USING (sample_id)
                            WHERE kept AND origin_id IN ('sum-0', 'sum-1', 'sum-2')""")
        assert kept == 0  # a failed request is never a wrong answer

        asked = server.count
        run_recipe(short, run, Silent())
        assert server.count == asked

        server.reply = reply
        run_recipe(short, run, Silent(), retry_quarantined=True)
        assert run.value("SELECT count(*) FROM quarantine") == 0
        assert run.value("SELECT count(*) FROM rollouts WHERE arm = 'direct'") == SAMPLES * 8


def test_a_stage_most_of_which_fails_is_given_up_and_stays_owed(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with ScriptedServer(failing(range(3, SAMPLES))) as server:
        with pytest.raises(RunError, match=r"'direct' was given up.*no such sum"):
            run_recipe(recipe(server), run, Silent())
        assert run.value("SELECT count(*) FROM quarantine") == 0
        server.reply = reply
        run_recipe(drawn_in_full(recipe(server)), run, Silent())
        assert run.value("SELECT count(*) FROM rollouts WHERE arm = 'direct'") == SAMPLES * 8


def test_a_model_that_does_not_answer_is_told_before_anything_is_read(tmp_path: Path) -> None:
    nobody = parse_recipe(recipe_text("http://127.0.0.1:9/v1"), "scene")
    with pytest.raises(ServerError, match="No model server answers"):
        run_recipe(nobody, Run(tmp_path / "run"), Silent())
    assert not (tmp_path / "run").exists()


def test_another_export_of_a_finished_run(finished: Run) -> None:
    told = export_target(finished, "verl-sft", Silent())
    assert "kept" in told
    assert len(read_shards(finished, "verl-sft")) > 0
