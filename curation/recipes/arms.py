"""The `[arms.*]` tables of a recipe.

`confirm` is two arms in one table; controls of the tools (`schema_only`, `placebo`, `confirm`) take
over the settings of `tools`, so that they differ from it in nothing but what they control for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from curation.errors import RecipeError
from curation.recipes.recipe import Arm, Arms, Placebo
from curation.recipes.settings import bind, unknown

_WITH_TOOLS = ("tools", "schema_only", "placebo")
_ARMS = ("direct", "text_only", "oracle_crop", *_WITH_TOOLS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Fresh attempts at what the first ones selected."""

    n: int = 16
    """Attempts with tools, and as many without. From 16 on, what a person would call a benefit is
    mostly seen."""
    scope: str = "selected"
    """Which samples, as for any arm."""


ARM_TABLES: dict[str, type[Arm] | type[Confirm]] = {
    **dict.fromkeys(_ARMS, Arm),
    "placebo": Placebo,
    "confirm": Confirm,
}
"""Every table of `[arms]` and the record that it is bound to."""


def read_arms(tables: Mapping[str, Any]) -> Arms:
    """The arms of a recipe from its `[arms.*]` tables.

    Raises:
        RecipeError: an unknown arm or setting, a value out of range, or an arm without what it
            needs.
    """
    tables = {"direct": {}, **tables}
    for name, table in tables.items():
        if name not in ARM_TABLES:
            raise unknown("arm", name, ARM_TABLES, "arms")
        if not isinstance(table, Mapping):
            raise RecipeError(f"arms.{name}: write it as a table, [arms.{name}]")
        if name in ("schema_only", "placebo", "confirm") and "tools" not in tables:
            raise RecipeError(f"arms.{name}: it repeats the tool attempts: add [arms.tools]")
    tools = {"dialect": "deepeyes-v2", **tables.get("tools", {})}
    controls = {key: value for key, value in tools.items() if key not in ("scope", "curtail")}
    defaults = {
        "tools": tools,
        "schema_only": controls,
        "placebo": {**controls, "scope": "selected"},
    }
    arms = {
        name: _arm(name, {**defaults.get(name, {}), **tables[name]})
        for name in _ARMS
        if name in tables
    }
    return Arms(**arms, **_confirm(tables, arms))  # type: ignore[arg-type]


def _arm(name: str, table: Mapping[str, Any]) -> Arm:
    arm = bind(Placebo if name == "placebo" else Arm, table, f"arms.{name}")
    if (name in _WITH_TOOLS) == (arm.dialect == "direct"):
        raise RecipeError(
            f"arms.{name}.dialect: {arm.dialect!r} has"
            f" {'no tools' if name in _WITH_TOOLS else 'tools, and this arm has none'}"
        )
    if name == "direct" and "scope" in table and arm.scope != "undecided":
        raise RecipeError("arms.direct.scope: every screened sample is tried: leave it out")
    return arm


def _confirm(tables: Mapping[str, Any], arms: Mapping[str, Arm]) -> dict[str, Arm]:
    if "confirm" not in tables:
        return {}
    own = bind(Confirm, tables["confirm"], "arms.confirm")
    try:
        return {
            f"confirm_{name}": replace(arms[name], n=own.n, scope=own.scope, curtail=False)
            for name in ("direct", "tools")
        }
    except ValueError as error:
        raise RecipeError(f"arms.confirm: {error}") from None


def written_arms(arms: Arms) -> dict[str, dict[str, Any]]:
    """The tables again, with every default."""
    tables = {name: asdict(arm) for name, arm in arms.run().items() if name in _ARMS}
    if confirm := arms.confirm_tools:
        tables["confirm"] = {"n": confirm.n, "scope": confirm.scope}
    return tables
