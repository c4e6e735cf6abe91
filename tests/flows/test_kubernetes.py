"""The manifests are what Kubernetes takes, and they fit together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from curation.models.environment import VLLM

FOLDER = Path(__file__).parents[2] / "flows" / "kubernetes"
VERSION = "1.33"
MANIFESTS = [
    manifest
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name != "prefect.yaml"
    for manifest in yaml.safe_load_all(path.read_text())
]
POOL = json.loads((FOLDER / "work-pool.json").read_text())
DEPLOYMENT = yaml.safe_load((FOLDER / "prefect.yaml").read_text())["deployments"][0]


def name_of(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def pods() -> list[dict[str, Any]]:
    return [each["spec"]["template"] for each in MANIFESTS if "template" in each.get("spec", {})]


def job() -> Any:
    """The Job that Prefect would make of a run: the work pool's template with its variables."""
    properties = POOL["variables"]["properties"]
    values = {name: field.get("default") for name, field in properties.items()}
    values |= DEPLOYMENT["work_pool"]["job_variables"]
    values |= {"name": "run", "labels": {}, "command": ["prefect", "flow-run", "execute"]}
    values["env"] = [{"name": "PREFECT_API_URL", "value": "http://prefect-server:4200/api"}]
    return filled(POOL["job_configuration"]["job_manifest"], values)


def filled(part: Any, values: dict[str, Any]) -> Any:
    if isinstance(part, dict):
        return {key: filled(value, values) for key, value in part.items()}
    if isinstance(part, list):
        return [filled(value, values) for value in part]
    if not isinstance(part, str):
        return part
    if whole := re.fullmatch(r"\{\{ (\w+) \}\}", part):
        return values[whole[1]]
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: str(values[found[1]]), part)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=name_of)
def test_every_manifest_follows_kubernetes_own_schema(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_the_work_pool_makes_a_job_that_kubernetes_takes() -> None:
    kubernetes_validate.validate(job(), VERSION, strict=True)


def test_the_schema_would_find_a_mistake() -> None:
    wrong = json.loads(json.dumps(MANIFESTS[0]).replace("metadata", "metdata"))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_a_deployment_sets_only_variables_that_the_work_pool_has() -> None:
    assert DEPLOYMENT["work_pool"]["job_variables"].keys() <= POOL["variables"]["properties"].keys()


@pytest.mark.parametrize(
    "service", [each for each in MANIFESTS if each["kind"] == "Service"], ids=name_of
)
def test_a_service_finds_pods_with_its_port(service: dict[str, Any]) -> None:
    (pod,) = [each for each in pods() if each["metadata"]["labels"] == service["spec"]["selector"]]
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_vllm_is_of_the_version_that_runs_on_one_machine() -> None:
    (pod,) = [each for each in pods() if each["metadata"]["labels"]["app"] == "toolsight-vllm"]
    assert pod["spec"]["containers"][0]["image"].endswith(f":v{VLLM}")


def test_every_claim_is_made_and_runs_are_let_into_the_sandbox() -> None:
    claimed = {name_of(each) for each in MANIFESTS}
    for pod in [*pods(), job()["spec"]["template"]]:
        for volume in pod["spec"].get("volumes", ()):
            if claim := volume.get("persistentVolumeClaim"):
                assert f"PersistentVolumeClaim {claim['claimName']}" in claimed
    (policy,) = [each for each in MANIFESTS if each["kind"] == "NetworkPolicy"]
    admitted = policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    assert job()["spec"]["template"]["metadata"]["labels"] == admitted


def test_the_deployment_names_a_flow_and_a_folder_of_the_job() -> None:
    path, _, _ = DEPLOYMENT["entrypoint"].partition(":")
    assert (FOLDER.parents[1] / path).exists()
    mounts = job()["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    folders = {str(Path(value).parent) for value in DEPLOYMENT["parameters"].values()}
    assert folders == {mount["mountPath"] for mount in mounts}


def test_sandbox_nodes_have_what_bubblewrap_needs_and_nothing_else() -> None:
    (pod,) = [each for each in pods() if each["metadata"]["labels"]["app"] == "toolsight-sandbox"]
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["hostUsers"] is False
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "seccompProfile": {"type": "Unconfined"},
        "appArmorProfile": {"type": "Unconfined"},
        "procMount": "Unmasked",
    }
