"""All that the page of a report shows, read from the run once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from markupsafe import Markup

from curation.compare import compare
from curation.errors import ToolsightError
from curation.funnel import Funnel, read_funnel
from curation.look import facts, figures
from curation.look.cards import RolloutCard, SampleCard, read_rollouts, read_samples
from curation.manifest import Manifest, read_manifest
from curation.report.choose import ROLLOUTS, SAMPLES, Chosen, choose
from curation.runs import Run

Row = Mapping[str, Any]

_CHARTS = (
    figures.fates,
    figures.pass_rates,
    figures.benefits,
    figures.turns,
    figures.tools,
    figures.lengths,
    figures.outcomes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """One field for each part of the page, in its order."""

    name: str
    recipe: str
    manifest: Manifest
    funnel: Funnel
    charts: Mapping[str, Markup]
    gains: Sequence[Row]
    costs: Sequence[Row]
    reasons: Sequence[Row]
    quarantine: Sequence[Row]
    checks: Sequence[Row]
    presets: Sequence[tuple[str, ...]] | str
    """Header and lines, or the sentence that says why presets cannot be compared."""
    samples: Sequence[SampleCard]
    chosen_samples: Chosen
    rollouts: Sequence[RolloutCard]
    chosen_rollouts: Chosen

    def count(self, label: str) -> int:
        """Rows of the funnel's line of that name, or of the several that begin so."""
        lines = (found for name, found in self.funnel.lines if name.partition(":")[0] == label)
        return sum(sum(found.values()) for found in lines)

    def image_ids(self) -> list[str]:
        """Every image that a card shows."""
        shown = [image for card in self.samples for image in card.sample.image_ids]
        for card in self.rollouts:
            shown += card.sample.image_ids
            shown += [
                image for turn in card.rollout.turns if turn.call for image in turn.call.image_ids
            ]
        return shown


def read_contents(run: Run, *, cards: int) -> Contents:
    """Read a run for its report, with at most `cards` samples and as many rollouts of the teacher.

    Raises:
        RunError: the folder holds no run, or one that another version wrote.
    """
    funnel, presets = read_funnel(run), _presets(run)
    with run.connect() as db:
        samples = choose(db, SAMPLES, at_most=cards)
        rollouts = choose(db, ROLLOUTS, at_most=cards)
        return Contents(
            name=run.path.resolve().name,
            recipe=_text(run),
            manifest=read_manifest(run),
            funnel=funnel,
            charts={chart.__name__: chart(db) for chart in _CHARTS},
            gains=_rows(facts.gains(db)),
            costs=_rows(facts.costs(db)),
            reasons=_rows(facts.reasons(db)),
            quarantine=_rows(facts.quarantine(db)),
            checks=_rows(facts.checks(db)),
            presets=presets,
            samples=read_samples(db, samples.ids),
            chosen_samples=samples,
            rollouts=read_rollouts(run, db, rollouts.ids),
            chosen_rollouts=rollouts,
        )


def _rows(relation: duckdb.DuckDBPyRelation) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = relation.to_arrow_table().to_pylist()
    return rows


def _text(run: Run) -> str:
    return run.recipe_path.read_text(encoding="utf-8") if run.recipe_path.exists() else ""


def _presets(run: Run) -> list[tuple[str, ...]] | str:
    """A recipe with sources that are not installed here leaves the rest of the report as it is."""
    try:
        return compare(run).cells()
    except (ToolsightError, FileNotFoundError) as error:
        return str(error)
