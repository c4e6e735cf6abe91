"""Every key of a recipe is told of, and nothing that is no key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curation.cli import app
from curation.errors import RecipeError
from curation.recipes.file import parse_recipe, resolved
from curation.recipes.reference import Key, Section, find, overview, reference

ROOT = Path(__file__).parents[3]
SECTIONS = reference()
EVERYTHING = """
[[sources]]
use = "charts"
[[filters]]
use = "question_script"
[policy]
url = "http://localhost:1/v1"
[judge]
url = "http://localhost:1/v1"
[graders]
text = "judge"
[arms.text_only]
[arms.oracle_crop]
[arms.tools]
[arms.schema_only]
[arms.placebo]
[arms.confirm]
[decide]
preset = "toolsight"
[teach]
[[tools]]
use = "search"
[[exports]]
target = "verl"
"""


def keys_of(table: str, shape: str = "") -> dict[str, Key]:
    found = [each for each in SECTIONS if each.table == table and each.shape in ("", shape)]
    return {key.name: key for section in found for key in section.keys}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.header)
def test_every_section_and_every_key_of_a_record_says_what_it_is(section: Section) -> None:
    assert section.meaning
    # A filter's bounds are what its own sentence is about.
    if section.table != "filters":
        assert [key.name for key in section.keys if not key.meaning] == []
    assert not [key for key in section.keys if key.required and key.default]


def test_what_a_run_writes_beside_its_rows_is_told_of_with_its_defaults() -> None:
    written = tomllib.loads(resolved(parse_recipe(EVERYTHING, "everything")))
    told = keys_of("")
    for name, value in written.items():
        if not isinstance(value, dict | list):
            assert told[name].default == toml(value)
        elif name == "arms":
            for arm, table in value.items():
                check(table, keys_of(name, arm))
        else:
            for table in value if isinstance(value, list) else [value]:
                check(table, keys_of(name, table.get("preset", table.get("use", ""))))


def check(table: dict[str, Any], told: dict[str, Key]) -> None:
    """Every key is told of, and where the recipe says nothing the value is the default."""
    assert table.keys() <= told.keys()
    for name, value in table.items():
        if told[name].default and name not in ("text", "url"):
            assert told[name].default == toml(value), name


def toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value).lower() if not isinstance(value, str) else f'"{value}"'


def test_types_units_and_what_is_required() -> None:
    timeout = keys_of("policy")["timeout"]
    assert (timeout.type, timeout.default, timeout.unit) == ("number", "120.0", "seconds")
    assert keys_of("sandbox")["memory"].unit == "bytes"
    assert keys_of("policy")["urls"].type == "list of strings"
    assert keys_of("sources", "hub")["data_files"].type == "string or list of strings"
    assert [key.name for key in keys_of("sources", "jsonl").values() if key.required] == [
        "use",
        "path",
    ]
    assert keys_of("arms", "tools")["dialect"].default == '"deepeyes-v2"'
    assert keys_of("arms", "direct")["dialect"].default == '"direct"'


def test_a_table_within_a_table_has_its_own_section() -> None:
    (caps,) = find(SECTIONS, "teachers.budget")
    assert {"tokens", "requests", "gpu_seconds", "money"} <= {key.name for key in caps.keys}
    assert keys_of("teachers")["budget"].type == "table"


def test_a_source_says_of_shared_settings_what_the_other_says() -> None:
    shared = ("columns", "category", "box_format")
    for other in ("jsonl", "hub"):
        for name in shared:
            meaning = keys_of("sources", other)[name].meaning
            assert meaning == keys_of("sources", "parquet")[name].meaning


def test_a_table_is_found_by_its_name_and_shape() -> None:
    assert {section.table for section in find(SECTIONS, "arms")} == {"arms"}
    assert [section.shape for section in find(SECTIONS, "sources.hub")] == ["hub"]
    with pytest.raises(RecipeError, match=r"no table 'polcy': did you mean policy\?"):
        find(SECTIONS, "polcy")


def test_the_command_shows_all_keys_or_those_of_a_table() -> None:
    shown = CliRunner().invoke(app, ["recipe"])
    assert shown.exit_code == 0
    names = set(re.findall(r"^  (\w+)(?: = .*)?  \(", shown.output, re.MULTILINE))
    assert names == {key.name for section in SECTIONS for key in section.keys}
    hub = CliRunner().invoke(app, ["recipe", "sources.hub"]).output
    assert "  streaming = false  (true or false)\n      read over the network" in hub
    assert CliRunner().invoke(app, ["recipe", "polcy"]).exit_code == 2


def test_the_readme_has_the_overview_that_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["recipe", "--overview"]).output.strip()
    assert printed == overview(SECTIONS)
    assert printed in (ROOT / "README.md").read_text(), "paste `toolsight recipe --overview`"
