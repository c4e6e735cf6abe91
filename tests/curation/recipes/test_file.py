from __future__ import annotations

from pathlib import Path

import pytest

from curation.errors import RecipeError
from curation.recipes.file import load_recipe, load_rules, parse_recipe, resolved
from curation.recipes.presets import DeepEyes, DeepEyesV2
from tests.curation.scene import recipe_text

ROOT = Path(__file__).parents[3]
GOOD = recipe_text("http://localhost:1/v1")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seed = 7", "sead = 7", r"no key 'sead': did you mean seed\?"),
        ("seed = 7", 'seed = "7"', "seed: '7' is a string, but whole number is wanted"),
        ("seed = 7", "seed = ", "no valid TOML"),
        ("[policy]", "[polizy]", "no key 'polizy': did you mean policy"),
        ('use = "min_image_side"', 'use = "min_image_sice"', "did you mean 'min_image_side'"),
        ("at_least = 28", "atleast = 28", "no setting 'atleast'"),
        ("at_least = 28", 'at_least = "28"', "at_least = '28'"),
        ("tests.curation.scene:sums", "chart", r"no source 'chart': did you mean charts\?"),
        ("tests.curation.scene:sums", "nowhere:sums", "'nowhere:sums' cannot be imported"),
        ("tests.curation.scene:sums", "tests.curation.scene:sum", "cannot be imported"),
        ("limit = 24", "limit = 0", "limit: 0 is no positive whole number"),
        ("limit = 24", "limt = 24", r"no setting 'limt': did you mean limit\?"),
        ('preset = "deepeyes-v2"', 'preset = "deepeyes-v3"', "no preset 'deepeyes-v3'"),
        ('preset = "deepeyes-v2"', "", "preset is missing"),
        ('preset = "deepeyes-v2"', 'preset = "deepeyes"', "needs the arm oracle_crop"),
        (
            'preset = "deepeyes-v2"',
            'preset = "deepeyes-v2"\nmax_direct_right = 8',
            "drops nothing of 8 attempts",
        ),
        (
            'preset = "deepeyes-v2"',
            'preset = "deepeyes-v2"\nmin_tools_right = 5',
            "can never be reached with 4 attempts",
        ),
        (
            'preset = "deepeyes-v2"',
            'preset = "screen"',
            r"decide: 8 attempts leave an error of 0\.\d+, above 0\.05: raise n",
        ),
        (
            'preset = "deepeyes-v2"',
            'preset = "screen"\nhard = 0.5',
            "decide: hard = 0.5, lowest = 0.25, .* contradict: write 0 <= hard < lowest",
        ),
        ("[sandbox]", "[sandbox]\nimages = -1", "sandbox: images is -1: a limit is a positive"),
        ("[sandbox]", "[sandbox]\nsession_seconds = inf", "session_seconds is inf: a limit"),
        ("[arms.tools]", "[arms.tool]", r"no arm 'tool': did you mean tools\?"),
        ("[arms.tools]\nn = 4", "[arms.tools]\nn = 0", "n is 0: an arm needs at least 1"),
        ("[arms.tools]", '[arms.tools]\ndialect = "klingon"', "no dialect 'klingon'"),
        ("[arms.tools]", '[arms.tools]\ndialect = "direct"', "'direct' has no tools"),
        ("[arms.tools]", "[arms.placebo]", r"arms.placebo: it repeats the tool attempts"),
        ("[arms.tools]", "[arms.confirm]", r"arms.confirm: it repeats the tool attempts"),
        ("[arms.tools]", '[arms.placebo]\nkind = "white"\n[arms.tools]', "kind is 'white'"),
        ("[arms.tools]", "[arms.confirm]\nn = 0\n[arms.tools]", "arms.confirm: n is 0"),
        ("[arms.tools]", '[arms.tools]\nscope = "some"', "scope is 'some': write undecided or"),
        ("[arms.tools]", "[arms.tools]\ntop_p = 2.0", "top_p in 0 < top_p <= 1"),
        ("[arms.direct]", '[arms.direct]\nscope = "selected"', "every screened sample is tried"),
        ('preset = "deepeyes-v2"', 'preset = "toolsight"', "needs the arm confirm: add"),
        (
            'preset = "deepeyes-v2"',
            'preset = "toolsight"\nmin_benefit = 1.0',
            "min_benefit is 1.0: write a share",
        ),
        ('target = "llamafactory"', 'target = "lamafactory"', "did you mean llamafactory"),
        ("max_in_flight = 8", "max_in_flight = 0", "must be positive"),
        ("temperature = 0.5", "temperature = -1", "temperature must be at least 0"),
        ("temperature = 0.5", "serve = 'x'", "exactly one of url, urls, serve, embedded"),
        ("attempts = 2", "attempts = 2\nrl_share = 2", "rl_share is 2.0: write a share"),
        ("cell_seconds = 120.0", "cel_seconds = 1.0", "did you mean cell_seconds"),
        ("cell_seconds = 120.0", 'backend = "docker"', "choose one of bwrap, remote"),
        ("cell_seconds = 120.0", 'backend = "remote"', 'remote" needs urls'),
        (
            "cell_seconds = 120.0",
            'urls = ["http://n"]',
            'urls and token_env need backend = "remote"',
        ),
        ("cell_seconds = 120.0", 'token_env = "T"', 'urls and token_env need backend = "remote"'),
        ("cell_seconds = 120.0", 'backend = "remote"\nurls = ["n:1"]', "'n:1' does not start with"),
        (
            "cell_seconds = 120.0",
            'backend = "remote"\nurls = ["http://n/token/secret"]',
            "name its variable as token_env",
        ),
    ],
)
def test_every_mistake_is_named_with_what_would_do(old: str, new: str, sentence: str) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError, match=sentence):
        parse_recipe(GOOD.replace(old, new, 1), "scene")


def test_two_sources_of_one_name_are_refused() -> None:
    twice = GOOD + '\n[[sources]]\nuse = "easy_vqa"\nname = "sums"\n'
    with pytest.raises(RecipeError, match="two sources are named 'sums'"):
        parse_recipe(twice, "scene")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nothing\.toml cannot be read"):
        load_recipe(tmp_path / "nothing.toml")


def test_the_rules_need_no_code_of_the_sources(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD.replace("tests.curation.scene:sums", "elsewhere:sums"))
    with pytest.raises(RecipeError, match="'elsewhere:sums' cannot be imported"):
        load_recipe(path)
    arms, preset = load_rules(path)
    assert (arms, preset) == (parse_recipe(GOOD, "good").arms, parse_recipe(GOOD, "good").preset)


@pytest.mark.parametrize("path", sorted((ROOT / "flows" / "recipes").glob("*.toml")), ids=str)
def test_every_recipe_in_the_repository_is_sound(path: Path) -> None:
    load_recipe(path)


def test_the_resolved_recipe_says_the_same_with_every_default_written_out() -> None:
    recipe = parse_recipe(GOOD, "scene")
    text = resolved(recipe)
    assert "max_direct_right = 2" in text and "top_p = 1.0" in text
    again = parse_recipe(text, "scene")
    assert again == recipe
    assert resolved(again) == text


def test_controls_of_tools_take_over_their_settings() -> None:
    arms = "[arms.placebo]\n[arms.schema_only]\nn = 2\n[arms.confirm]\nn = 6\n[arms.tools]"
    text = GOOD.replace("[arms.tools]", f'{arms}\ndialect = "deepeyes"\nmax_turns = 3')
    recipe = parse_recipe(text, "scene")
    planned = recipe.arms.planned()
    assert (planned["placebo"], planned["schema_only"], planned["text_only"]) == (4, 2, 0)
    assert (planned["confirm_direct"], planned["confirm_tools"]) == (6, 6)
    for name in ("placebo", "schema_only", "confirm_tools"):
        arm = recipe.arms.run()[name]
        assert (arm.dialect, arm.max_turns) == ("deepeyes", 3)
    assert parse_recipe(resolved(recipe), "scene") == recipe


def test_contradicting_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="leave nothing to keep"):
        DeepEyes(min_right=5, max_right_share=0.5, fine_grained=()).conditions({"direct": 8})
    with pytest.raises(ValueError, match="at least 0"):
        DeepEyesV2(max_direct_right=-1)
