"""The notebooks, executed in a kernel on a finished run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from curation.runs import Run
from curation.verification import HOLDS

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = ("01_funnel", "02_samples", "03_trajectories")


@pytest.fixture(scope="module")
def executed(world: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Executes a notebook by its name, each of them once, with no trace in the home folder."""
    home = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLSIGHT_RUN", str(world.path))
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(home / name.lower()))
        yield cache(execute)


def execute(name: str) -> Any:
    notebook = read(name)
    return NotebookClient(notebook, resources={"metadata": {"path": str(FOLDER)}}).execute()


def read(name: str) -> Any:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def html(notebook: Any, heading: str = "") -> str:
    """What the cells after a heading show, up to the next heading; by default all."""
    shown, below = [], not heading
    for cell in notebook.cells:
        if heading and cell.cell_type == "markdown" and cell.source.startswith("#"):
            below = cell.source.startswith(f"## {heading}\n")
        parts = cell.get("outputs", ()) if below else ()
        shown += [part.data.get("text/html", "") for part in parts if "data" in part]
    return "".join(shown)


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_is_committed_without_what_it_showed(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert [cell.id for cell in notebook.cells] == [
        f"{name[:2]}-{i:02}" for i in range(len(notebook.cells))
    ]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


def test_all_notebooks_are_tested() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_runs_and_warns_of_nothing(executed: Any, name: str) -> None:
    notebook = executed(name)
    shown = outputs(notebook)
    assert not [output for output in shown if output.output_type == "error"]
    assert not [output for output in shown if output.get("name") == "stderr"]
    assert "Nothing to show" not in html(notebook)


@pytest.mark.parametrize("name", NAMES)
def test_no_script_of_the_data_gets_into_the_page(executed: Any, name: str) -> None:
    assert "<script" not in html(executed(name)).lower()


@pytest.mark.parametrize(("name", "charts"), [("01_funnel", 6), ("03_trajectories", 2)])
def test_charts_are_shown(executed: Any, name: str, charts: int) -> None:
    shown = html(executed(name))
    assert shown.count('<figure class="chart">') == charts
    assert shown.count("<svg") >= charts


def test_the_funnel_and_the_quarantine_are_shown(executed: Any, world: Run) -> None:
    notebook = executed("01_funnel")
    kept = world.value("SELECT count(*) FROM verdicts WHERE split = 'rl'")
    funnel = html(notebook, "From rows to exports")
    assert re.search(rf"kept: rl</th>.*?<td>{kept}</td>\s*</tr>", funnel, re.DOTALL)
    quarantine = html(notebook, "Quarantine")
    errors = world.value("SELECT list(DISTINCT error) FROM quarantine")
    assert sorted(errors) == ["image_damaged", "missing_answer", "request_failed"]
    assert all(error in quarantine for error in errors)


def test_costs_are_those_of_the_rollouts(executed: Any, world: Run) -> None:
    costs = html(executed("01_funnel"), "What it cost")
    for arm in ("direct", "tools", "teacher"):
        count = world.value(f"SELECT count(*) FROM rollouts WHERE arm = '{arm}'")
        assert re.search(rf"<td>{arm}</td>\s*<td>{count}</td>", costs)


@pytest.mark.parametrize(
    ("heading", "badge", "condition"),
    [
        ("Kept for RL", "kept: rl", "split = 'rl'"),
        ("Kept for the cold start", "kept: cold_start", "split = 'cold_start'"),
        ("Too easy", "dropped: too_easy", "dropped_by = 'too_easy'"),
    ],
)
def test_cards_of_verdicts(
    executed: Any, world: Run, heading: str, badge: str, condition: str
) -> None:
    shown = html(executed("02_samples"), heading)
    expected = world.value(f"""
        SELECT sum(least(n, 2))::INT FROM (
            SELECT count(*) AS n FROM verdicts JOIN samples USING (sample_id)
            WHERE {condition} GROUP BY source)
    """)
    assert shown.count("<article") == shown.count(f">{badge}<") == expected > 0
    assert shown.count("data:image/webp;base64,") == expected


def test_a_question_that_looks_like_markup_is_shown_as_it_is(executed: Any) -> None:
    escaped = "&lt;script&gt;alert(&#39;$1 and $2&#39;)&lt;/script&gt;"
    assert escaped in html(executed("02_samples"), "Kept for the cold start")


def test_samples_in_quarantine_have_cards_and_other_rows_a_reason(executed: Any) -> None:
    shown = html(executed("02_samples"), "In quarantine")
    assert shown.count("<article") == 2
    assert "Image not shown: it cannot be decoded" in shown
    assert "dropped: too_easy:unscored" in shown
    assert "missing_answer" in shown


def test_verified_trajectories_have_their_crops_in_place(executed: Any, world: Run) -> None:
    shown = html(executed("03_trajectories"), "Verified trajectories")
    cards = shown.split("<article")[1:]
    assert 0 < len(cards) <= world.value("SELECT count(*) FROM trajectories")
    for card in cards:
        assert ">trajectory<" in card
        turns = re.split(r'<div class="turn ', card)
        assert [turn.partition('"')[0] for turn in turns[1:]] == ["model", "tool", "model"]
        assert "data:image/webp" in turns[2]


def test_rejected_rollouts_name_their_checks(executed: Any, world: Run) -> None:
    shown = html(executed("03_trajectories"), "Rejected, and why")
    failed = world.value(f'SELECT list(DISTINCT "check") FROM verifications WHERE NOT ({HOLDS})')
    assert {"correct", "error_free"} <= set(failed)
    cards = shown.split("<article")[1:]
    assert cards and all(">rejected: " in card for card in cards)
    assert set(failed) <= set(re.findall(">rejected: ([^<]*)<", shown))
    assert "cut_out" in shown and ">error<" in shown
