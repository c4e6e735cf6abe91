"""The Prefect layer: the same rows as without it, and deployments that point somewhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prefect import Flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from curation.runs import Run
from flows.curate import curate
from flows.synthesize import synthesize
from tests.curation.scene import reply, write_recipe
from tests.scripted_server import ScriptedServer

ROOT = Path(__file__).parents[2]

pytestmark = [
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


@pytest.mark.usefixtures("prefect")
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
        curate(recipe, str(run.path))
    assert server.count == asked
    assert run.value("SELECT count(*) FROM trajectories") > 0
    assert list(run.export_path("llamafactory").glob("*.parquet"))
    assert run.manifest_path.exists()


DEPLOYMENTS = yaml.safe_load((ROOT / "flows" / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_deployments_name_a_flow_and_its_parameters(deployment: dict) -> None:
    path, _, name = deployment["entrypoint"].partition(":")
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    flow = getattr(module, name)
    assert isinstance(flow, Flow)
    assert deployment["parameters"].keys() <= flow.parameters.properties.keys()
    assert (ROOT / deployment["parameters"]["recipe"]).exists()
