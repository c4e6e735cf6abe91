"""The main job with nothing scripted: real sources, a real vLLM server, the real sandbox."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.models import ManagedServer
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe
from curation.recipes.recipe import Recipe
from curation.runs import Run
from curation.sources.base import RawSample
from curation.stages.ingest import open_source

DEMO = Path(__file__).parent.parent / "flows" / "recipes" / "demo.toml"
LIMIT = 16


def smaller(url: str) -> Recipe:
    """The demonstration with fewer samples and a server that runs already."""
    text = re.sub(r"limit = \d+", f"limit = {LIMIT}", DEMO.read_text())
    return parse_recipe(text.replace("embedded = true", f'url = "{url}"'), "demo")


@pytest.mark.serve
def test_raw_samples_become_shards_and_nothing_is_lost(
    embedded_server: ManagedServer, tmp_path: Path
) -> None:
    recipe, run = smaller(embedded_server.url), Run(tmp_path / "run")
    funnel = run_recipe(recipe, run, Silent())
    lines = {label: sum(counts.values()) for label, counts in funnel.lines}
    assert lines["in"] == lines["samples"] == 3 * LIMIT
    decided = ("dropped", "kept", "quarantined")
    assert sum(n for label, n in lines.items() if label.startswith(decided)) == 3 * LIMIT

    pulled = {
        image
        for source in recipe.sources
        for row in open_source(source)
        if isinstance(row, RawSample)
        for image in row.images
    }
    for name in (export.target for export in recipe.exports):
        rows = [
            row
            for shard in run.export_path(name).glob("*.parquet")
            for row in pq.read_table(shard).to_pylist()
        ]
        assert len(rows) == lines[f"exported: {name}"] > 0
        # The first image is the question's; crops of a trajectory come after it.
        assert {row["images"][0]["bytes"] for row in rows} <= pulled

    paid = run.value("SELECT count(*) FROM rollouts")
    assert run_recipe(recipe, run, Silent()) == funnel
    assert run.value("SELECT count(*) FROM rollouts") == paid
