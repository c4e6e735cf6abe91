"""The project files and the schedule of one machine name what is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.events.schemas.automations import AutomationCore
from typer.testing import CliRunner

from flows import serve

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = yaml.safe_load((ROOT / "flows" / "prefect.yaml").read_text())["deployments"]
DEMO = "flows/recipes/demo.toml"


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_deployments_name_a_flow_and_its_parameters(deployment: dict[str, Any]) -> None:
    path, _, name = deployment["entrypoint"].partition(":")
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    flow = getattr(module, name)
    assert isinstance(flow, Flow)
    assert deployment["parameters"].keys() <= flow.parameters.properties.keys()
    assert (ROOT / deployment["parameters"]["recipe"]).exists()
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_the_deployments_are_of_all_three_flows_by_cron_and_by_interval() -> None:
    flows = [each["entrypoint"].partition(":")[2].replace("_", "-") for each in DEPLOYMENTS]
    assert flows == list(serve.FLOWS)
    schedules = {key for each in DEPLOYMENTS for key in each["schedules"][0]}
    assert {"cron", "interval"} <= schedules


def test_the_automation_against_zombies_is_one_that_prefect_takes() -> None:
    (automation,) = yaml.safe_load((ROOT / "flows" / "zombies.yaml").read_text())["automations"]
    assert AutomationCore.model_validate(automation).enabled


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would be served: the real thing goes on for ever, and needs a server."""
    calls: list[dict[str, Any]] = []

    def note(flow: Flow[..., Any], **settings: Any) -> None:
        calls.append({"flow": flow.name, **settings})

    monkeypatch.setattr(Flow, "serve", note)
    monkeypatch.chdir(ROOT)
    return calls


def test_one_machine_serves_a_flow_by_its_schedule(served: list[dict[str, Any]]) -> None:
    arguments = [DEMO, "runs/demo", "--flow", "curate", "--cron", "0 1 * * *"]
    assert CliRunner().invoke(serve.app, arguments).exit_code == 0
    assert CliRunner().invoke(serve.app, [DEMO, "--interval", "3600"]).exit_code == 0
    curate, both = served
    assert (curate["flow"], curate["name"], curate["cron"]) == ("curate", "demo", "0 1 * * *")
    assert (both["flow"], both["interval"]) == ("curate-and-synthesize", 3600)
    assert curate["parameters"] == both["parameters"]
    assert both["parameters"] == {"recipe": DEMO, "run": "runs/demo", "gpu_slots": None}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.toml"], "the recipe none.toml cannot be read"),
        ([DEMO, "--flow", "curat"], "there is no flow 'curat'"),
        ([DEMO, "--cron", "0 1 * * *", "--interval", "60"], "are two schedules"),
        ([DEMO, "--cron", "sometimes"], "--cron: 'sometimes' is no cron expression"),
    ],
)
def test_what_cannot_be_served_is_told_at_once(
    served: list[dict[str, Any]], arguments: list[str], sentence: str
) -> None:
    told = CliRunner().invoke(serve.app, arguments)
    assert told.exit_code == 2
    assert sentence in told.output
    assert served == []
