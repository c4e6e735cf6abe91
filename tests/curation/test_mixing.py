"""Mixes of trajectories: the most that shares allow, and what is told where they cannot be met."""

from __future__ import annotations

import pytest

from curation.errors import RecipeError
from curation.mixing import Kind, Share, missed, quotas
from curation.recipes.file import parse_recipe, resolved
from curation.recipes.mix import Mix
from tests.curation.scene import recipe_text

FOUND = {
    Kind("chart", 1, "python"): 300,
    Kind("chart", 2, "python"): 40,
    Kind("document", 1, "python"): 90,
    Kind("document", 3, "python+search"): 20,
    Kind("perception", 1, "image_zoom_in_tool"): 50,
}


def kept(found: dict[Kind, int], mix: Mix) -> dict[tuple[Kind, ...], int]:
    return {quota.kinds: quota.kept for quota in quotas(found, mix)}


def check_shares(counts: dict[tuple[Kind, ...], int], mix: Mix) -> None:
    """Kinds of a group count to the same shares, so that the first tells for all."""
    total = sum(counts.values())
    for (part, value), wanted in mix.wanted().items():
        named = sum(count for kinds, count in counts.items() if kinds[0].has(part, value))
        assert abs(named / total - wanted) <= mix.tolerance + 1e-6


def test_without_shares_everything_stays() -> None:
    assert kept(FOUND, Mix()) == {tuple(sorted(FOUND)): 500}
    assert kept({}, Mix(category={"chart": 0.5})) == {}


@pytest.mark.parametrize(
    ("mix", "rows"),
    [
        # 110 documents are all there are, and 275 the most that they are 40 % of, with these
        # charts at the upper end of the tolerance.
        (Mix(category={"chart": 0.4, "document": 0.4}), 275),
        (Mix(tool_calls={"1": 0.8, "2+": 0.2}), 333),
        (Mix(tool={"python": 0.5}, keep=0.0), 145),
    ],
)
def test_shares_are_met_with_as_many_as_can_be(mix: Mix, rows: int) -> None:
    counts = kept(FOUND, mix)
    assert all(count <= sum(FOUND[kind] for kind in kinds) for kinds, count in counts.items())
    assert sum(counts.values()) == rows
    check_shares(counts, mix)


def test_several_properties_are_met_at_once_and_every_group_keeps_something() -> None:
    mix = Mix(category={"chart": 0.5}, tool_calls={"1": 0.8}, tool={"python": 0.8}, keep=0.1)
    counts = kept(FOUND, mix)
    check_shares(counts, mix)
    assert min(counts.values()) > 0


def test_shares_that_would_cost_too_much_are_missed_as_little_as_possible() -> None:
    one, two = Kind("chart", 1, "python"), Kind("chart", 2, "python")
    found = {one: 90, two: 10}
    assert kept(found, Mix(tool_calls={"2": 0.5}, keep=0.5)) == {(one,): 40, (two,): 10}
    assert kept(found, Mix(category={"document": 0.3})) == {(one, two): 100}


def test_a_missed_share_is_a_sentence() -> None:
    shares = [
        Share("tool_calls", "2", 0.5, 0.2, 10, 10, False),
        Share("tool_calls", "1", None, 0.8, 40, 90, True),
    ]
    assert missed(shares) == [
        "the mix misses tool_calls 2: 20.0% where 50.0% was wanted, 10 of 10 verified rollouts"
        " with it"
    ]


def recipe(mix: str) -> str:
    return recipe_text("http://127.0.0.1:1").replace(
        "[[exports]]", f"[teach.mix]\n{mix}\n[[exports]]", 1
    )


@pytest.mark.parametrize(
    ("mix", "sentence"),
    [
        ("category = { chart = 0.7, document = 0.4 }", "category: the shares sum to 1.1"),
        ('tool_calls = { "two" = 0.5 }', "tool_calls: 'two' is no number of calls"),
        ("tool = { python = 2 }", "the share of 'python' is 2"),
        ("tolerance = 0.0", "tolerance must be above 0"),
        ("categories = {}", "no key 'categories': did you mean category"),
    ],
)
def test_mistakes_in_a_mix_are_told(mix: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=f"teach.mix: .*{sentence}"):
        parse_recipe(recipe(mix), "scene")


def test_a_mix_is_written_into_the_resolved_recipe() -> None:
    made = parse_recipe(recipe('tool_calls = { "1" = 0.5, "3+" = 0.1 }'), "scene")
    assert made.teach is not None and made.teach.mix == Mix(tool_calls={"1": 0.5, "3+": 0.1})
    assert parse_recipe(resolved(made), "scene") == made
