"""What the README shows is what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from curation.cli import app
from curation.exporters import TARGETS
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.runs import Run
from tests.curation.scene import recipe_text, reply
from tests.scripted_server import ScriptedServer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_its_recipe_is_valid_in_place_of_the_demonstrations_sources_and_models() -> None:
    shown = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    demo = (ROOT / "flows" / "recipes" / "demo.toml").read_text()
    rest = re.sub(r"\[\[(?:sources|teachers)\]\][^\[]*|\[policy\][^\[]*", "", demo)
    recipe = parse_recipe(rest + shown[1], "readme")
    assert {source.use for source in recipe.sources} == {"hub", "parquet"}
    assert len(recipe.policy.endpoints) == 2
    assert tomllib.loads(demo)["policy"] == {"embedded": True, "temperature": 1.0, "max_tokens": 64}


def test_every_command_is_mentioned_and_every_mentioned_command_exists() -> None:
    functions = [command.name or command.callback.__name__ for command in app.registered_commands]
    commands = {name.replace("_", "-") for name in functions}
    commands |= {group.name for group in app.registered_groups}
    assert set(re.findall(r"^toolsight ([\w-]+)", README, re.MULTILINE)) == commands


@pytest.mark.parametrize("target", TARGETS)
def test_every_export_target_is_mentioned(target: str) -> None:
    assert f"`{target}`" in README


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_ten_queries_run_on_a_run(tmp_path: Path) -> None:
    block = re.search(r"```sql\n(.*?)```", README, re.DOTALL)
    assert block is not None
    queries = [query for query in block[1].split(";\n") if query.strip()]
    with ScriptedServer(reply) as server:
        run = Run(tmp_path / "run")
        run_recipe(parse_recipe(recipe_text(server.url, 18), "readme"), run, Silent())
    with run.connect() as db:
        answered = [bool(db.execute(query).fetchall()) for query in queries]
    # No image of the scene is used twice.
    assert answered == [True] * 4 + [False] + [True] * 5
