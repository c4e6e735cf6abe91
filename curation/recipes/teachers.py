"""Who teaches, from `[teacher]` or `[[teachers]]` of a recipe, and the `[budget]` of all models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from curation.budget import RunCaps
from curation.errors import RecipeError
from curation.recipes.models import Model, Teacher
from curation.recipes.recipe import Recipe
from curation.recipes.settings import bind, check_names
from curation.rollouts.plans import GUIDED_DIALECTS


def read_teachers(
    one: Mapping[str, Any] | None, several: Sequence[Mapping[str, Any]], policy: Model
) -> tuple[Teacher, ...]:
    """The teachers of a recipe, the policy where it names none.

    Raises:
        RecipeError: both ways of naming them are used, two have one name, or their shares do not
            sum to 1.
    """
    if one is not None and several:
        raise RecipeError("write one [teacher], or [[teachers]] with their shares, not both")
    if one is not None:
        teachers = [bind(Teacher, one, "teacher")]
    elif several:
        teachers = [bind(Teacher, table, f"teachers[{i}]") for i, table in enumerate(several)]
    else:
        itself = {field.name: getattr(policy, field.name) for field in fields(Model)}
        teachers = [Teacher(**itself)]
    names = [teacher.name for teacher in teachers]
    check_names("teachers", names)
    total = math.fsum(teacher.share for teacher in teachers)
    if not math.isclose(total, 1, abs_tol=1e-6):
        raise RecipeError(
            f"the shares of the teachers {', '.join(names)} sum to {total:g}: let them sum to 1"
        )
    return tuple(teachers)


def check_guided(recipe: Recipe) -> None:
    """RecipeError where a teacher makes guided attempts in a dialect that no plan is written in."""
    if recipe.teach is None or not recipe.teach.guided:
        return
    for teacher in recipe.teachers:
        dialect = teacher.dialect or recipe.teach.dialect
        if dialect not in GUIDED_DIALECTS:
            raise RecipeError(
                f"teach.guided: {teacher.name} writes {dialect!r}, and guided attempts are written"
                f" in {' or '.join(GUIDED_DIALECTS)}: give it one of them, or leave guided out"
            )


def check_judged(recipe: Recipe) -> None:
    """RecipeError where thoughts are to be judged and nobody judges."""
    if recipe.teach and recipe.teach.judge_thoughts and recipe.judge is None:
        raise RecipeError(
            "teach.judge_thoughts is switched on without [judge]: add a [judge] table with its url"
            " or serve, or leave judge_thoughts out"
        )


def read_budget(table: Mapping[str, Any], models: Mapping[str, Model]) -> RunCaps:
    """The budget of the whole run.

    Raises:
        RecipeError: money is capped, and what somebody costs is not said.
    """
    caps = bind(RunCaps, table, "budget")
    free = [name for name, model in models.items() if not model.priced]
    if caps.money is not None and free:
        raise RecipeError(
            f"budget.money: {', '.join(free)} has no price: add prompt_price and completion_price,"
            " for a million tokens, to its table (0 for a server of your own)"
        )
    return caps
