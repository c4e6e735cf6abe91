"""Export: what was decided and composed, as shards in a trainer's own schema."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from curation.dialects import DIALECTS
from curation.exporters import ExportRow, get_target, write_export
from curation.job import Job
from curation.manifest import Exported, read_manifest
from curation.recipe import Export, Recipe
from curation.runs import Run
from curation.stage import Count, batches, query_rows, to_json
from curation.tools import Tool
from schemas import Benefit, Sample, Trajectory
from schemas.arrow import from_dict

_RL = """
    FROM verdicts JOIN samples USING (sample_id) JOIN benefits USING (sample_id)
    WHERE split = 'rl' ORDER BY sample_id
"""
_SFT = """
    FROM trajectories JOIN samples USING (sample_id) LEFT JOIN benefits USING (sample_id)
    ORDER BY sample_id, trajectory_id
"""
_BATCH = 32
"""Rows whose images are in memory at once."""


def export(job: Job, chosen: Export) -> Count:
    """Write one target, unless it was written from exactly these rows before."""
    made_from = fingerprint(job.run, chosen)
    before = read_manifest(job.run).exports.get(chosen.target)
    folder = job.run.export_path(chosen.target)
    if before is not None and before.made_from == made_from and folder.exists():
        done = before
    else:
        rows = export_rows(job.run, job.recipe, chosen.target)
        summary = write_export(chosen.target, rows, folder, **chosen.settings)
        done = Exported(summary.rows, summary.left_out_by, made_from)
    job.exports[chosen.target] = done
    left_out = sum(done.left_out.values())
    return Count(f"export {chosen.target}", done.rows + left_out, done.rows, left_out).check()


def fingerprint(run: Run, chosen: Export) -> str:
    """Hash of what an export is made from: its rows by content, its target and settings."""
    digest = hashlib.sha256(to_json([chosen.target, dict(chosen.settings)]).encode())
    if get_target(chosen.target).KIND == "rl":
        keys = f"SELECT sample_id, benefits.* EXCLUDE (sample_id) {_RL}"
    else:
        keys = f"SELECT trajectory_id {_SFT}"
    for batch in batches(run, keys):
        digest.update(repr(batch.to_pylist()).encode())
    return digest.hexdigest()


def export_rows(run: Run, recipe: Recipe, target: str) -> Iterator[ExportRow]:
    """The rows of a target: RL samples, or verified trajectories."""
    if get_target(target).KIND == "rl":
        return _samples(run, rl_dialect(recipe, target), recipe.tools)
    return _trajectories(run)


def rl_dialect(recipe: Recipe, target: str) -> str:
    """The dialect that the trainer's environment speaks, else that of the tools arm."""
    own = get_target(target).DIALECT
    if own is not None:
        return own
    tools = recipe.arms.tools
    return tools.dialect if tools else next(name for name in DIALECTS if name != "direct")


def _samples(run: Run, dialect: str, tools: tuple[Tool, ...]) -> Iterator[ExportRow]:
    for row in query_rows(run, f"SELECT * {_RL}", rows=_BATCH):
        sample = from_dict(Sample, row)
        images = [run.images.read(image_id) for image_id in sample.image_ids]
        yield ExportRow(sample, images, dialect, tools, benefit=from_dict(Benefit, row))


def _trajectories(run: Run) -> Iterator[ExportRow]:
    columns = """trajectories, samples, benefits"""
    for row in query_rows(run, f"SELECT {columns} {_SFT}", rows=_BATCH):
        trajectory = from_dict(Trajectory, row["trajectories"])
        images = [run.images.read(image_id) for image_id in trajectory.image_ids]
        known = row["benefits"] and row["benefits"]["sample_id"]
        benefit = from_dict(Benefit, row["benefits"]) if known else None
        sample = from_dict(Sample, row["samples"])
        yield ExportRow(sample, images, trajectory.dialect, trajectory=trajectory, benefit=benefit)
