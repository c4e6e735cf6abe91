"""Turns that are to be left out of the loss, seen by the trainers' own code.

ms-swift can be told and leaves them out; the others train every turn of the assistant, which is why
such rows are not in their exports.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.exporters.manifest import read_manifest
from curation.runs import Run
from tests.curation.stages.test_masked_turns import run_with, stumbling
from tests.scripted_server import ScriptedServer
from tests.trainers.test_trainers import load

pytestmark = pytest.mark.trainers

OTHERS = {"verl-sft": "verl", "llamafactory": "llamafactory", "trl": "llamafactory"}
"""Targets that cannot be told, and their environments."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """One run under two policies; some of its trajectories begin with a turn that fails."""
    with ScriptedServer(stumbling) as server:
        yield {
            policy: run_with(tmp_path_factory.mktemp("masks") / policy, server.url, policy)
            for policy in ("keep", "mask")
        }


def trained(run: Run, target: str, scratch: Path) -> list[list[float]]:
    """Of every turn of the assistant in every row, the share that is trained."""
    environment = OTHERS.get(target, "llamafactory")
    folder = run.export_path(target)
    told = load(environment, f"masks_{target.replace('-', '_')}", folder, scratch)
    shares: list[list[float]] = told["turns"]  # type: ignore[assignment]
    assert len(shares) == read_manifest(folder).rows
    return shares


def test_ms_swift_trains_all_turns_but_those_that_are_masked(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    shares = trained(runs["mask"], "ms-swift", tmp_path)
    assert {tuple(row) for row in shares} == {(0.0, 1.0, 1.0), (1.0, 1.0)}
    kept = trained(runs["keep"], "ms-swift", tmp_path)
    assert {tuple(row) for row in kept} == {(1.0, 1.0, 1.0), (1.0, 1.0)}


@pytest.mark.parametrize("target", OTHERS)
def test_the_others_would_train_a_failed_turn_and_are_not_given_it(
    runs: dict[str, Run], tmp_path: Path, target: str
) -> None:
    kept = trained(runs["keep"], target, tmp_path)
    assert {tuple(row) for row in kept} == {(1.0, 1.0, 1.0), (1.0, 1.0)}
    manifest = read_manifest(runs["mask"].export_path(target))
    assert manifest.left_out == {"masked_turns": sum(len(row) == 3 for row in kept)}
    assert manifest.rows == sum(len(row) == 2 for row in kept)
