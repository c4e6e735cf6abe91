"""The Prefect layer: the same rows as without it, states that say what is wrong, and artifacts."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.objects import State
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from curation.errors import RecipeError
from curation.manifest import Manifest, StageEntry
from curation.runs import Run
from flows.artifacts import artifact_key, cost_rows
from flows.curate import curate
from flows.curate_and_synthesize import curate_and_synthesize
from flows.synthesize import synthesize
from tests.curation.scene import reply, write_recipe
from tests.curation.stores.scripted_store import ScriptedStore
from tests.flows.small import write_small
from tests.scripted_server import Request, ScriptedServer

pytestmark = [
    pytest.mark.usefixtures("prefect"),
    # Prefect's own server leaves database connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def prefect() -> Iterator[None]:
    # Each flow would otherwise end with a second of waiting for its heartbeat.
    with prefect_test_harness(), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def state_of(recipe: Path, run: Run, **parameters: Any) -> State[Any]:
    state: State[Any] = curate(str(recipe), str(run.path), return_state=True, **parameters)
    return state


def artifacts() -> dict[str, Any]:
    """The latest artifact under each key."""
    with get_client(sync_client=True) as client:
        found = sorted(client.read_artifacts(), key=lambda artifact: artifact.created)
    return {artifact.key: artifact.data for artifact in found}


def test_a_flow_works_on_a_run_in_an_object_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with ScriptedStore() as store, ScriptedServer(reply) as server:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        url = f"s3://{store.new_bucket()}/runs/small"
        curate(str(write_small(tmp_path, server.url)), url)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
        run = Run.at(url)
        assert run.value("SELECT count(*) FROM verdicts") == 9
        assert f"({url}/report.html)" in artifacts()[artifact_key("report", run)]


def test_curate_then_synthesize_make_rl_and_sft_shards(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with ScriptedServer(reply) as server:
        recipe = str(write_recipe(tmp_path, server.url, 9))
        curate(recipe, str(run.path))
        assert run.value("SELECT count(*) FROM verdicts") == 9
        assert list(run.export_path("deepeyes-v2").glob("*.parquet"))
        assert run.value("SELECT count(*) FROM trajectories") == 0
        synthesize(recipe, str(run.path))
        asked = server.count
        curate_and_synthesize(recipe, str(run.path))
    assert server.count == asked
    assert run.value("SELECT count(*) FROM trajectories") > 0
    assert list(run.export_path("llamafactory").glob("*.parquet"))
    assert run.manifest_path.exists()


def test_artifacts_show_funnel_and_cost_under_keys_of_the_run_folder(tmp_path: Path) -> None:
    run = Run(tmp_path / "My_Run.2")
    with ScriptedServer(reply) as server:
        curate(str(write_small(tmp_path, server.url)), str(run.path))
    shown = artifacts()
    funnel = {row["rows"]: row["all"] for row in json.loads(shown["funnel-my-run-2"])}
    assert (funnel["in"], funnel["samples"]) == ("9", "9")
    cost = {row["stage"]: row for row in json.loads(shown["cost-my-run-2"])}
    assert cost["direct"]["prompt_tokens"] > 0
    assert cost["text_only"]["rollouts"] == 18
    assert cost["measure"].keys() == {"stage", "seconds"}
    (spent,) = [row for row in json.loads(shown["spent-my-run-2"]) if row["model"] == "policy"]
    assert spent["requests"] == server.count
    assert (run.path / "report.html").as_uri() in shown["report-my-run-2"]
    assert (run.path / "report.html").exists()
    assert artifact_key("funnel", Run(Path("/"))) == "funnel"


@pytest.fixture
def mistakes(tmp_path: Path) -> dict[str, tuple[Path, dict[str, Any], str]]:
    """A recipe, parameters, and how the sentence goes about it."""
    away = tmp_path / "away.toml"
    away.write_text(write_small(tmp_path, "http://127.0.0.1:9/v1").read_text())
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(away.read_text().replace("seed = 7", "sede = 7"))
    return {
        "no recipe": (tmp_path / "none.toml", {}, "none.toml cannot be read: No such file"),
        "a wrong key": (wrong, {}, "there is no key 'sede': did you mean seed?"),
        "a server that is down": (away, {}, "127.0.0.1:9"),
    }


@pytest.mark.parametrize("mistake", ["no recipe", "a wrong key", "a server that is down"])
def test_a_mistake_is_the_message_of_the_state_and_leaves_nothing_behind(
    tmp_path: Path,
    mistake: str,
    mistakes: dict[str, tuple[Path, dict[str, Any], str]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    recipe, parameters, sentence = mistakes[mistake]
    run = Run(tmp_path / "run")
    state = state_of(recipe, run, **parameters)
    assert state.is_failed()
    assert sentence in (state.message or "")
    assert "Traceback" not in capfd.readouterr().err
    assert not run.path.exists()


def test_gpu_slots_that_nobody_made_are_told_before_anything_runs(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with ScriptedServer(reply) as server:
        state = state_of(write_small(tmp_path, server.url), run, gpu_slots="nowhere")
    assert state.is_failed()
    assert "prefect global-concurrency-limit create nowhere --limit 1" in (state.message or "")
    assert not run.path.exists()


def test_a_slot_is_held_while_a_stage_asks_a_model(tmp_path: Path) -> None:
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="gpu", limit=1))
    limit = f"{PREFECT_API_URL.value()}/v2/concurrency_limits/gpu"
    held: list[int] = []

    def slots() -> int:
        with urllib.request.urlopen(limit, timeout=60) as answer:
            return int(json.load(answer)["active_slots"])

    def watching(request: Request) -> Sequence[Any]:
        held.append(slots())
        return reply(request)  # type: ignore[return-value]

    with ScriptedServer(watching) as server:
        state = state_of(write_small(tmp_path, server.url), Run(tmp_path / "run"), gpu_slots="gpu")
    assert state.is_completed()
    assert set(held) == {1}
    assert slots() == 0


def test_a_refused_change_of_the_recipe_changes_nothing_and_the_next_run_works(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path / "run")
    with ScriptedServer(reply) as server:
        recipe = write_small(tmp_path, server.url)
        assert state_of(recipe, run).is_completed()
        asked, kept, text = server.count, run.recipe_path.read_text(), recipe.read_text()
        recipe.write_text(text.replace("max_tokens = 64", "max_tokens = 32"))
        state = state_of(recipe, run)
        assert state.is_failed()
        assert "max_tokens was 64 and is now 32" in (state.message or "")
        assert "Traceback" not in capfd.readouterr().err
        assert run.recipe_path.read_text() == kept
        recipe.write_text(text)
        assert state_of(recipe, run).is_completed()
        assert server.count == asked


def test_a_cap_is_told_by_a_completed_state_and_the_next_run_goes_on(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with ScriptedServer(reply) as server:
        recipe = write_small(tmp_path, server.url)
        capped = tmp_path / "capped.toml"
        capped.write_text(recipe.read_text() + "[budget]\nrequests = 4\n")
        state = state_of(capped, run)
        assert state.is_completed()
        assert "stopped at the cap of 4 requests" in (state.message or "")
        assert run.value("SELECT count(*) FROM verdicts") == 0
        assert state_of(recipe, run).is_completed()
    assert run.value("SELECT count(*) FROM verdicts") == 9


def test_a_folder_of_another_version_is_left_as_it_is(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with ScriptedServer(reply) as server:
        recipe = write_small(tmp_path, server.url)
        assert state_of(recipe, run).is_completed()
        for part in run.table("rollouts").parts():
            part.path.write_bytes(run.table("pulls").parts()[0].path.read_bytes())
        run.recipe_path.write_text("# as another version wrote it\n")
        state = state_of(recipe, run)
        assert state.is_failed()
        assert "were written by another version of Toolsight" in (state.message or "")
        assert run.recipe_path.read_text() == "# as another version wrote it\n"
        assert state_of(recipe, Run(tmp_path / "another")).is_completed()


def test_a_run_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with ScriptedServer(reply) as server:
        state = state_of(write_small(tmp_path, server.url), Run(tmp_path / "file"))
    assert state.is_failed()
    assert "cannot be written as a run folder: File exists" in (state.message or "")


def test_whoever_calls_a_flow_gets_the_error_itself(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml cannot be read"):
        curate(str(tmp_path / "none.toml"))


def test_a_stage_without_rollouts_has_only_its_seconds() -> None:
    manifest = Manifest(stages={"measure": StageEntry(1, 1, 0, 0, 2.5)})
    assert cost_rows(manifest) == [{"stage": "measure", "seconds": 2.5}]
