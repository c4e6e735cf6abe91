"""Worked solutions without an image: from a source's column to a share of the trajectories."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curation.dialects import get_dialect
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from curation.sources import BadRow, RawSample
from curation.sources.tabular import jsonl
from curation.stages.solutions import as_turn
from tests.curation.scene import recipe_text, reply
from tests.scripted_server import ScriptedServer

WORDED = "<think>\nSix sevens are forty-two.\n</think>\n<answer>42</answer>"


def proof(number: int, solution: str) -> RawSample:
    return RawSample(
        origin_id=f"proof-{number}",
        images=(),
        question=f"What is 6 times {number}?",
        answers=(str(6 * number),),
        answer_kind="number",
        category="reason",
        license="MIT",
        origin="proofs@1",
        solution=solution,
    )


def proofs() -> Iterator[RawSample]:
    """Twelve right ones, one that is wrong, and one that never answers."""
    for number in range(2, 14):
        yield proof(number, f"Six and {number} multiply to \\boxed{{{6 * number}}}, that is all.")
    yield proof(20, "It is some \\boxed{7}.")
    yield proof(21, "<think>I wonder")


@pytest.mark.parametrize(
    ("solution", "turn"),
    [
        (WORDED, WORDED),
        ("<think>Six sevens are forty-two.</think>\n\nSo it is $\\boxed{42}$.", WORDED),
        ("<think>Six sevens are forty-two.</think>The answer is 42", WORDED),
        ("Six sevens.\n#### 42", "<think>\nSix sevens.\n#### 42\n</think>\n<answer>42</answer>"),
        (
            "Take \\boxed{6}, then \\boxed{\\frac{1}{2}}.",
            "<think>\nTake \\boxed{6}, then \\boxed{\\frac{1}{2}}.\n</think>\n"
            "<answer>\\frac{1}{2}</answer>",
        ),
    ],
)
def test_a_solution_becomes_a_turn(solution: str, turn: str) -> None:
    assert as_turn(solution, get_dialect("deepeyes-v2")) == turn


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The scene with a second source, whose rows no model is asked about: the scripted one knows
    sums alone."""
    source = '[[sources]]\nuse = "tests.curation.stages.test_solutions:proofs"\nname = "proofs"\n'
    with ScriptedServer(reply) as server:
        text = recipe_text(server.url, 18).replace("[[filters]]", f"{source}[[filters]]", 1)
        text = text.replace("attempts = 2", "attempts = 2\ntext_share = 0.5")
        text += '[[exports]]\ntarget = "verl-sft"\n'
        made = Run(tmp_path_factory.mktemp("solutions") / "run")
        run_recipe(parse_recipe(text, "scene"), made, Silent())
    return made


def test_they_are_neither_filtered_nor_tried(run: Run) -> None:
    assert run.value("SELECT count(*) FROM verdicts WHERE split = 'text' AND kept") == 14
    assert run.value("SELECT count(*) FROM benefits JOIN samples USING (sample_id)"
                     " WHERE source = 'proofs'") == 0  # fmt: skip


def test_they_are_graded_and_verified_as_any_rollout(run: Run) -> None:
    with run.connect() as db:
        rows = db.execute("""
            SELECT origin_id, list("check" ORDER BY "check") FROM verifications
            JOIN samples USING (sample_id) WHERE source = 'proofs' AND NOT passed GROUP BY 1
        """).fetchall()
    failed = dict(rows)
    assert set(failed) == {"proof-20", "proof-21"}
    assert "correct" in failed["proof-20"] and "grammar" in failed["proof-21"]


def test_their_share_is_taken_and_told(run: Run) -> None:
    with run.connect() as db:
        kinds = dict(
            db.execute("SELECT kind, count(*) FROM choices WHERE dropped_by IS NULL GROUP BY 1")
            .fetchall()
        )  # fmt: skip
        left = db.execute("SELECT DISTINCT dropped_by FROM choices WHERE kind = 'text'").fetchall()
    assert kinds["text"] == kinds["tools"] > 0
    assert ("text_share",) in left
    mix: list[dict[str, Any]] = json.loads(run.manifest_path.read_text())["mix"]
    (text,) = (each for each in mix if each["value"] == "text")
    assert (text["wanted"], text["share"], text["met"]) == (0.5, 0.5, True)
    assert "| kind | text | 50.0% | 50.0% |" in card(run, "llamafactory")


def card(run: Run, target: str) -> str:
    return (run.export_path(target) / "README.md").read_text()


def test_trainers_that_cannot_mix_them_in_leave_them_out_and_say_so(run: Run) -> None:
    texts = run.value("SELECT count(*) FROM choices WHERE kind = 'text' AND dropped_by IS NULL")
    (shard,) = run.export_path("llamafactory").glob("train-*.parquet")
    rows = pq.read_table(shard).to_pylist()
    assert sum(not row["images"] for row in rows) == texts
    assert f"| images_present | {texts} |" in card(run, "verl-sft")


def test_a_column_can_hold_them(tmp_path: Path) -> None:
    path = tmp_path / "cot.jsonl"
    rows = [{"problem": "What is 1+1?", "answer": "2", "messages": [{"content": "It is 2"}]}]
    rows.append({"problem": "What is 2+2?", "answer": "4", "messages": []})
    path.write_text("\n".join(map(json.dumps, rows)))
    columns = {"question": "problem", "solution": "messages.-1.content"}
    good, bad = jsonl(path=str(path), columns=columns)
    assert isinstance(good, RawSample) and (good.images, good.solution) == ((), "It is 2")
    assert isinstance(bad, BadRow) and bad.error == "missing_solution"
