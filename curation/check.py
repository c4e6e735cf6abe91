"""`toolsight check`: everything that can be known about a recipe before it is run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

from curation.pipeline import check_models, check_tools, curate_steps, synthesize_steps
from curation.recipe import Source
from curation.recipe_file import load_recipe
from curation.sandbox import SandboxSettings, open_sandbox
from curation.sources import BadRow
from curation.stages.admit import RowError, admit
from curation.stages.ingest import open_source


def check_recipe(path: Path) -> Iterator[str]:
    """Lines about what was checked: the recipe, a row of every source, models, tools.

    Raises:
        ToolsightError: the first thing that is wrong.
    """
    recipe = load_recipe(path)
    yield f"recipe {path}: every key, name and setting is known"
    for source in recipe.sources:
        yield check_source(source)
    for role, identity in check_models(recipe).items():
        yield f"{role}: {identity}"
    yield from check_tools(recipe)
    if recipe.sandbox.backend == "remote":
        yield f"sandbox: {asyncio.run(check_nodes(recipe.sandbox))}"
    steps = [*curate_steps(recipe), *synthesize_steps(recipe)]
    yield f"stages: {', '.join(step.name for step in steps)}"


async def check_nodes(settings: SandboxSettings) -> str:
    """Greet the nodes that would run code; SandboxError when none answers or one is not like it."""
    async with open_sandbox(settings) as sandbox:
        answering = {name.partition(" ")[0] for name in sandbox.probes}
    return f"{len(answering)} of {len(settings.urls)} nodes answer and are isolated"


def check_source(source: Source) -> str:
    """Open a source and look at its first row, which shows whether its columns are there."""
    rows = list(itertools.islice(open_source(source), 1))
    if not rows:
        return f"source {source.name}: it has no rows"
    if isinstance(rows[0], BadRow):
        return f"source {source.name}: its first row is bad: {rows[0].message}"
    try:
        admit(source.name, rows[0])
    except RowError as error:
        return f"source {source.name}: its first row is bad: {error}"
    return f"source {source.name}: its first row asks {rows[0].question!r}"
