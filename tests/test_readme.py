"""What the README shows is what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from curation.cli import app
from curation.exporters import TARGETS
from curation.recipe_file import parse_recipe

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_its_recipe_is_valid_in_place_of_the_demonstrations_sources_and_models() -> None:
    shown = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    demo = (ROOT / "flows" / "recipes" / "demo.toml").read_text()
    rest = re.sub(r"\[\[sources\]\][^\[]*|\[policy\][^\[]*", "", demo)
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
