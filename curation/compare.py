"""What every preset would make of a run, from the counts that are stored: no model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.errors import RecipeError
from curation.recipes.file import load_rules
from curation.recipes.presets import PRESETS, Condition, Planned, Preset
from curation.recipes.recipe import Arm
from curation.recipes.settings import unknown
from curation.runs import Run
from curation.stages.decide import MEASURES

OWN = "recipe"
"""The recipe's preset with the recipe's bounds; the others stand with their defaults."""
_ORDER = ("kept: rl", "kept: cold_start", "dropped", "not drawn")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many samples meet each fate, preset by preset."""

    fates: Mapping[str, Mapping[str, int]]

    def cells(self) -> list[tuple[str, ...]]:
        """Header and lines as text, kept ones first; a zero is left empty."""
        names = {fate for counts in self.fates.values() for fate in counts}
        rows = [(fate, *self._line(fate)) for fate in sorted(names, key=_rank)]
        return [("samples", *self.fates), *rows]

    def _line(self, fate: str) -> list[str]:
        return [f"{counts[fate]:,}" if fate in counts else "" for counts in self.fates.values()]


def _rank(fate: str) -> tuple[int, str]:
    return next(i for i, start in enumerate(_ORDER) if fate.startswith(start)), fate


def compare(run: Run, names: Sequence[str] = ()) -> Comparison:
    """The recipe's own verdicts beside those of presets by name; when none is named, of all whose
    bounds go with the attempts of the recipe.

    Attempts that a preset needs and the run never made leave its verdict undecided; with that
    preset in the recipe, the next run owes exactly those.

    Raises:
        RecipeError: no preset has that name, or the run drew too few attempts for its bounds.
        RunError: the folder holds no run.
    """
    with run.connect() as db:
        arms, own = load_rules(run.recipe_path)
        planned = {arm: n or Arm().n for arm, n in arms.planned().items()}
        presets: dict[str, Preset] = {OWN: own}
        presets |= {name: _preset(name) for name in names or _fitting(planned)}
        return Comparison(
            {
                name: dict(db.execute(fates_sql(name, preset, planned)).fetchall())
                for name, preset in presets.items()
            }
        )


def _preset(name: str) -> Preset:
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS, "--preset")
    return PRESETS[name]()


def _fitting(planned: Planned) -> list[str]:
    return [name for name, preset in PRESETS.items() if _fits(preset(), planned)]


def _fits(preset: Preset, planned: Planned) -> bool:
    try:
        preset.conditions(planned)
    except ValueError:
        return False
    return True


def fates_sql(name: str, preset: Preset, planned: Planned) -> str:
    """SQL: kept and where, dropped and by what, or undecided and why; with the samples of each."""
    try:
        conditions = preset.conditions(planned)
    except ValueError as error:
        raise RecipeError(f"preset {name}: {error}") from None
    fates = " ".join(f"WHEN ({c.reason}) IS NOT NULL THEN {_fate(c)}" for c in conditions)
    return f"""
        WITH judged AS (
            SELECT sample_id, CASE {fates} ELSE 'kept: ' || {preset.split()} END AS fate
            FROM ({MEASURES})
        )
        SELECT coalesce(fate, 'dropped: ' || failed[1], 'not drawn'), count(*)
        FROM screens LEFT JOIN judged USING (sample_id) GROUP BY ALL
    """


def _fate(condition: Condition) -> str:
    missing = f"ends_with({condition.reason}, ':unscored') AND ({condition.undrawn})"
    bound = f"replace({condition.reason}, ':unscored', '')"
    return f"""CASE WHEN {missing} THEN 'not drawn: ' || {bound}
                    ELSE 'dropped: ' || ({condition.reason}) END"""
