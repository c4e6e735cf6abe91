"""`toolsight check`: everything that can be known about a recipe before it is run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

from curation.pipeline import all_steps, check_models, check_tools
from curation.recipes.file import load_recipe
from curation.recipes.recipe import Source
from curation.rollouts.sampler import Sampler
from curation.sandbox import SandboxSettings, open_sandbox
from curation.sources import BadRow, RawSample
from curation.stages.admit import RowError, admit
from curation.stages.ingest import open_source
from curation.stages.voices import voices_of
from schemas.rollout import TEACHING


def check_recipe(path: Path) -> Iterator[str]:
    """Lines about what was checked: the recipe, a row of every source, models, tools, and the
    prompt of every arm about the first row that there is.

    Raises:
        ToolsightError: the first thing that is wrong.
    """
    recipe = load_recipe(path)
    yield f"recipe {path}: every key, name and setting is known"
    rows = {source.name: first_row(source) for source in recipe.sources}
    for name, row in rows.items():
        yield f"source {name}: {_verdict(row)}"
    models = check_models(recipe)
    for role, identity in models.items():
        yield f"{role}: {identity}"
    yield from check_tools(recipe)
    if recipe.sandbox.backend == "remote":
        yield f"sandbox: {asyncio.run(check_nodes(recipe.sandbox))}"
    yield f"stages: {', '.join(step.name for step in all_steps(recipe))}"
    asked = next((row for row in rows.values() if isinstance(row, RawSample)), _STAND_IN)
    for name in [*recipe.arms.run(), *(TEACHING[:1] if recipe.teach else ())]:
        for voice in voices_of(recipe, name):
            yield prompt_text(voice.sampler, asked)


async def check_nodes(settings: SandboxSettings) -> str:
    """Greet the nodes that would run code; SandboxError when none answers or one is not like it."""
    async with open_sandbox(settings) as sandbox:
        answering = {name.partition(" ")[0] for name in sandbox.probes}
    return f"{len(answering)} of {len(settings.urls)} nodes answer and are isolated"


_STAND_IN = RawSample(
    origin_id="",
    images=(b"",),
    question="What is shown?",
    answers=("a cat",),
    answer_kind="text",
    category="perception",
    license="",
    origin="",
)
"""Where no source gives a row."""


def first_row(source: Source) -> RawSample | str:
    """The first row of a source, which shows whether its columns are there; or what is wrong."""
    rows = list(itertools.islice(open_source(source), 1))
    if not rows:
        return "it has no rows"
    if isinstance(rows[0], BadRow):
        return f"its first row is bad: {rows[0].message}"
    try:
        admit(source.name, rows[0])
    except RowError as error:
        return f"its first row is bad: {error}"
    return rows[0]


def _verdict(row: RawSample | str) -> str:
    return row if isinstance(row, str) else f"its first row asks {row.question!r}"


def prompt_text(sampler: Sampler, row: RawSample) -> str:
    """What an arm sends about a row, with the hash that its rollouts carry."""
    images = len(row.images)
    if sampler.treatment.images == "evidence":
        images = len(row.evidence) or 1
    messages = sampler.opening(row.question, images)
    lines = [f"prompt of {sampler.arm} ({sampler.prompt_mark}):"]
    for message in messages:
        content = message.content.replace("\n", "\n    ")
        lines.append(f"  {message.role}:\n    {content}")
    return "\n".join(lines)
