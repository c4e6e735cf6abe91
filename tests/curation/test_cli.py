from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner, Result

from curation.cli import app
from tests.curation.scene import recipe_text, reply, write_recipe
from tests.scripted_server import ScriptedServer


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A recipe and its finished run, while its server still answers."""
    folder = tmp_path_factory.mktemp("cli")
    with ScriptedServer(reply) as server:
        recipe = write_recipe(folder, server.url, 9)
        done = call("run", recipe, "--run", folder / "run")
        assert done.exit_code == 0, done.output
        assert "kept: rl" in done.stdout
        assert "train-00000" in done.stdout or "deepeyes-v2" in done.stdout
        yield recipe, folder / "run"


def test_check_says_what_it_checked(scene: tuple[Path, Path]) -> None:
    done = call("check", scene[0])
    assert done.exit_code == 0
    assert "source sums: its first row asks 'What is 0 plus 0?" in done.stdout
    assert "policy: scripted" in done.stdout
    assert "stages: ingest, measure, duplicates, screen, direct" in done.stdout
    assert "prompt of direct (" in done.stdout and "prompt of tools (" in done.stdout
    assert "  user:\n    <image>\n    What is 0 plus 0? Level 0, solvable." in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seed = 7", "sead = 7", "no key 'sead'"),
        ('url = "', 'model = "other"\nurl = "', "serves scripted, and the recipe asks for 'other'"),
        ("[sandbox]", '[[tools]]\nuse = "search"\n[sandbox]', "search: add corpus = "),
        (
            "[sandbox]",
            '[[tools]]\nuse = "search"\nengine = "brave"\nkey_env = "NO_KEY"\n[sandbox]',
            "NO_KEY is not",
        ),
        ('use = "tests.curation.scene:sums"', 'use = "parquet"\npath = "nowhere"', "nowhere"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(
    scene: tuple[Path, Path], tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    text = scene[0].read_text()
    assert old in text
    bad = tmp_path / "bad.toml"
    bad.write_text(
        text.replace(old, new, 1).replace("limit = 9\n", "")
        if "parquet" in new
        else text.replace(old, new, 1)
    )
    done = call("check", bad)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ") and sentence in done.stderr
    assert "Traceback" not in done.output


def test_an_unreachable_model_is_told(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(recipe_text("http://127.0.0.1:9/v1"))
    done = call("run", recipe, "--run", tmp_path / "run")
    assert done.exit_code == 2 and "No model server answers" in done.stderr


def test_metrics_are_prometheus_text_on_the_screen_or_in_a_file(
    scene: tuple[Path, Path], tmp_path: Path
) -> None:
    text = call("metrics", scene[1]).stdout
    told = {
        (sample.name, sample.labels.get("stage"), sample.labels.get("outcome")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert told["toolsight_requests_total", "direct", None] > 0
    assert told["toolsight_rows", "ingest", "kept"] == 9
    out = tmp_path / "toolsight.prom"
    assert call("metrics", scene[1], "--out", out).exit_code == 0
    assert out.read_text() == text
    missing = call("metrics", tmp_path / "none")
    assert missing.exit_code == 2 and "there is no run" in missing.stderr


def test_funnel_and_sql(scene: tuple[Path, Path]) -> None:
    shown = call("funnel", scene[1]).stdout
    assert "too_easy" in shown and "exported: llamafactory" in shown
    done = call("sql", scene[1], "SELECT arm, count(*) AS n FROM rollouts GROUP BY arm")
    assert done.exit_code == 0 and "direct" in done.stdout
    assert call("sql", scene[1], "SELECT nothing").exit_code == 2
    assert "no run in" in call("funnel", scene[1] / "x").stderr


def test_why_tells_the_story_of_a_sample(scene: tuple[Path, Path]) -> None:
    story = call("why", scene[1], "sum-0").stdout
    for title in ("sample", "measured", "screened", "rollouts", "benefit", "verdict"):
        assert f"\n{title}\n" in f"\n{story}"
    assert "What is 0 plus 0?" in story and "arm='direct', attempt=5" in story
    assert "counts\n  arm='direct', planned=8, drawn=6, correct=0, wrong=6" in story
    assert "holds no sample 'sum-99'" in call("why", scene[1], "sum-99").stderr


def test_rules_shows_what_every_preset_would_keep(scene: tuple[Path, Path]) -> None:
    shown = call("rules", scene[1])
    assert shown.exit_code == 0
    header, *lines = shown.stdout.splitlines()
    assert header.split() == ["samples", "recipe", "deepeyes", "deepeyes-v2", "toolsight"]
    assert any("kept: rl" in line for line in lines)
    assert any("not drawn: no_benefit" in line for line in lines)
    assert "no preset 'deepeye'" in call("rules", scene[1], "--preset", "deepeye").stderr
    assert "preset screen: 8 attempts leave an error" in (
        call("rules", scene[1], "--preset", "screen").stderr
    )
    one = call("rules", scene[1], "--preset", "deepeyes-v2").stdout.splitlines()
    assert all(row.split()[-1] == row.split()[-2] for row in one[1:])


def test_grade_gives_all_scores_anew_and_tells_what_changed(scene: tuple[Path, Path]) -> None:
    done = call("grade", scene[1])
    assert done.exit_code == 0, done.output
    assert "changed: 0 of" in done.stdout and "changed: 0 of 9 verdicts" in done.stdout
    assert (
        "there is no grader 'numbr': did you mean number"
        in call("grade", scene[1], "--grader", "numbr").stderr
    )
    assert call("grade", scene[1] / "nowhere").exit_code == 2


def test_export_of_a_target_that_the_recipe_does_not_name(scene: tuple[Path, Path]) -> None:
    done = call("export", scene[1], "verl")
    assert done.exit_code == 0 and list((scene[1] / "exports" / "verl").glob("*.parquet"))
    assert "no export target 'vrl'" in call("export", scene[1], "vrl").stderr
