"""A run whose model searches: every answer is recorded, and replays read the record alone."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ToolsightError
from curation.job import Job
from curation.pipeline import perform, run_recipe, synthesize_steps
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.recipes.recipe import Recipe
from curation.runs import Run
from curation.search.build import build_corpus
from tests.curation.scene import recipe_text
from tests.scripted_server import ScriptedServer, text_of


def corpus(folder: Path) -> Path:
    """One page a number, saying what the scene's sums come to."""
    source = folder / "pages.jsonl"
    pages = [{"title": f"Sum {n}", "text": f"The sum number {n} is {n + n % 9}."} for n in range(9)]
    source.write_text("\n".join(map(json.dumps, pages)))
    build_corpus([str(source)], folder / "index")
    return folder / "index"


def searching(server: ScriptedServer, index: Path) -> Recipe:
    tool = f'[[tools]]\nuse = "search"\ncorpus = "{index}"\nresults = 1\n'
    return parse_recipe(recipe_text(server.url, 4) + tool, "searching")


def reply(request: dict[str, Any]) -> list[str]:
    """Searches where it can; only the teacher, which is cooler, believes what it finds."""
    messages, n = request["messages"], request["n"]
    if "# Tools" not in messages[0]["content"]:
        return ["<answer>-1</answer>"] * n
    number = re.findall(r"(\d+) plus", text_of(request))[0]
    if len(messages) == 2:
        call = json.dumps({"name": "search", "arguments": {"query": f"sum number {number}"}})
        return [f"<think>Look it up.</think>\n<tool_call>\n{call}\n</tool_call>"] * n
    found = re.search(rf"number {number} is (\d+)", json.dumps(messages[-1]))
    assert found is not None, messages[-1]
    answer = found[1] if request["temperature"] < 1 else -1
    return [f"<think>Found.</think>\n<answer>{answer}</answer>"] * n


def test_searches_are_recorded_once_and_replayed_without_the_index(tmp_path: Path) -> None:
    index = corpus(tmp_path)
    run = Run(tmp_path / "run")
    with ScriptedServer(reply) as server:
        recipe = searching(server, index)
        run_recipe(recipe, run, Silent())
    assert run.value("SELECT count(*) FROM searches") == 4, "one answer a query, for 24 rollouts"
    assert run.value("SELECT count(*) FROM trajectories") == 4
    shutil.rmtree(index)
    run.table("verifications").clear()
    with Job.open(recipe, run) as job:
        for step in synthesize_steps(recipe):
            if step.name == "verify":
                perform(job, step)
    replayed = """SELECT list(DISTINCT passed) FROM verifications WHERE "check" = 'replay'"""
    assert run.value(replayed) == [True]


def test_a_missing_index_is_told_before_a_model_is_asked(tmp_path: Path) -> None:
    with ScriptedServer(reply) as server:
        recipe = searching(server, tmp_path / "nowhere")
        with pytest.raises(ToolsightError, match="toolsight search build"):
            run_recipe(recipe, Run(tmp_path / "run"), Silent())
        assert server.requests == []
