"""Task runners: threads, a real Dask cluster and a real Ray cluster give the same rows."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from curation.errors import RecipeError, RunError
from curation.job import Job
from curation.pipeline import curate_steps, perform
from curation.recipes.file import load_rules, parse_recipe
from curation.runs import Run
from curation.task_runner import TaskRunner, open_task_runner
from tests.curation.scene import recipe_text, reply
from tests.scripted_server import ScriptedServer

TABLES = ("measures", "scores", "verdicts")
Rows = dict[str, list[dict[str, Any]]]


def rows_by(task_runner: str, path: Path) -> Rows:
    """What a run wrote, whatever its order."""
    with ScriptedServer(reply) as server:
        recipe = parse_recipe(recipe_text(server.url), "scene", task_runner=task_runner)
        with Job.open(recipe, Run(path)) as job:
            for step in curate_steps(recipe):
                perform(job, step)
            with job.run.connect() as db:
                found = {name: db.sql(f"FROM {name} ORDER BY ALL") for name in TABLES}
                return {name: rows.to_arrow_table().to_pylist() for name, rows in found.items()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return rows_by("threads", tmp_path_factory.mktemp("threads"))


@pytest.mark.parametrize("cluster", ["dask", "ray"])
def test_a_cluster_gives_the_rows_that_threads_give(
    cluster: str, tmp_path: Path, expected: Rows
) -> None:
    assert all(expected.values())
    assert rows_by(cluster, tmp_path) == expected


@pytest.mark.parametrize("cluster", ["dask", "ray"])
def test_the_work_and_its_errors_are_those_of_other_processes(cluster: str) -> None:
    with open_task_runner(cluster) as runner:
        done_by = set(runner.map(process_of, range(8)))
        assert done_by and os.getpid() not in done_by
        with pytest.raises(ZeroDivisionError):
            list(runner.map(divide, [1, 0]))


def test_a_dask_cluster_that_runs_already_is_left_running() -> None:
    with LocalCluster(n_workers=1, dashboard_address="127.0.0.1:0") as cluster:
        for _ in range(2):
            with open_task_runner(f"dask:{cluster.scheduler_address}") as runner:
                assert list(runner.map(abs, [-1, 2])) == [1, 2]


def process_of(piece: int) -> int:
    return os.getpid()


def test_threads_stay_in_this_process_and_keep_the_order() -> None:
    with open_task_runner("threads") as runner:
        assert list(runner.map(str, range(100))) == [str(number) for number in range(100)]
        assert set(runner.map(process_of, range(4))) == {os.getpid()}


def test_no_more_is_taken_than_there_are_places_for() -> None:
    taken: list[int] = []

    def pieces() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    def submit(work: Any, piece: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(piece))
        return future

    made = TaskRunner(submit, places=3).map(abs, pieces())
    assert next(made) == 0
    assert len(taken) == 6
    assert list(made) == list(range(1, 50))


def divide(piece: int) -> float:
    return 1 / piece


@pytest.mark.parametrize("text", ["slurm", "", "threads:8", "Dask"])
def test_a_recipe_with_another_task_runner_is_told_which_there_are(text: str) -> None:
    with pytest.raises(RecipeError, match="write threads, dask, dask:ADDRESS, ray or ray:ADDRESS"):
        parse_recipe(recipe_text("http://localhost:1/v1"), "scene", task_runner=text)


def test_a_package_that_is_missing_is_named_and_not_missed_by_who_only_looks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    text = recipe_text("http://localhost:1/v1")
    with pytest.raises(RecipeError, match="ray is not installed: `pip install ray`"):
        parse_recipe(text, "scene", task_runner="ray")
    path = tmp_path / "recipe.toml"
    path.write_text('task_runner = "ray"\n' + text)
    assert load_rules(path)


@pytest.mark.parametrize("text", ["dask:tcp://127.0.0.1:9", "ray:127.0.0.1:9"])
def test_a_cluster_that_does_not_answer_is_one_sentence(text: str) -> None:
    said = pytest.raises(RunError, match=r"no (Dask|Ray) cluster answers at .*127\.0\.0\.1:9")
    with said, open_task_runner(text):
        pass


def test_threads_end_with_the_run() -> None:
    with open_task_runner("threads") as runner:
        list(runner.map(abs, range(4)))
    assert not [each for each in threading.enumerate() if each.name.startswith("task")]
