"""Export: what was decided and composed, as shards in a trainer's own schema."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version

from curation.dialects import DIALECTS
from curation.errors import RunError
from curation.exporters import Background, ExportRow, get_target, write_export
from curation.exporters.splits import held_out
from curation.funnel import read_funnel
from curation.images import ImageStore
from curation.job import Job
from curation.manifest import Exported, read_manifest, usage, versions
from curation.recipes.recipe import Export, Recipe
from curation.runs import Run
from curation.stage import Count, batches, query_rows, to_json
from curation.tools import Tool
from schemas import Benefit, Sample, Trajectory
from schemas.arrow import from_dict

_RL = """
    FROM verdicts JOIN samples USING (sample_id) JOIN benefits USING (sample_id)
    LEFT JOIN (SELECT sample_id, any_value(model) AS policy FROM rollouts
               WHERE arm <> 'teacher' GROUP BY sample_id) USING (sample_id)
    WHERE split = 'rl' ORDER BY {order}
"""
_SFT = """
    FROM trajectories JOIN samples USING (sample_id) LEFT JOIN benefits USING (sample_id)
    LEFT JOIN (SELECT rollout_id, model AS teacher FROM rollouts WHERE arm = 'teacher')
        USING (rollout_id)
    ORDER BY {order}
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
        rows = export_rows(job.run, job.recipe, chosen)
        summary = write_export(
            chosen.target, rows, folder, chosen.settings, background=_background(job.run)
        )
        done = Exported(summary.rows, summary.left_out_by, made_from)
    job.exports[chosen.target] = done
    left_out = sum(done.left_out.values())
    return Count(f"export {chosen.target}", done.rows + left_out, done.rows, left_out).check()


def _background(run: Run) -> Background:
    return Background(
        funnel=read_funnel(run).cells(),
        recipe=_public(run.recipe_path.read_text(encoding="utf-8")),
        models=usage(run)[1],
        versions=versions(),
    )


def _public(recipe: str) -> str:
    """A recipe without the addresses of somebody's servers and the names of their secrets."""
    private = ("url = ", "urls = ", "api_key_env = ")
    lines = recipe.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(private))


def fingerprint(run: Run, chosen: Export) -> str:
    """Hash of what an export is made from: its rows by content, its target and settings."""
    settings = asdict(chosen.settings)
    digest = hashlib.sha256(to_json([version("toolsight"), chosen.target, settings]).encode())
    if get_target(chosen.target).KIND == "rl":
        keys = f"SELECT sample_id, benefits.* EXCLUDE (sample_id) {_ordered(_RL, 0)}"
    else:
        keys = f"SELECT trajectory_id {_ordered(_SFT, 0)}"
    for batch in batches(run, keys):
        digest.update(repr(batch.to_pylist()).encode())
    return digest.hexdigest()


def _ordered(query: str, seed: int) -> str:
    """Rows in an order that depends on the seed and on nothing but their own ids."""
    key = "sample_id" if query is _RL else "trajectory_id"
    return query.format(order=f"md5('{seed}/' || {key}), {key}")


def export_rows(run: Run, recipe: Recipe, chosen: Export) -> Iterator[ExportRow]:
    """The rows of a target: RL samples, or verified trajectories."""
    rl = get_target(chosen.target).KIND == "rl"
    settings, query = chosen.settings, _ordered(_RL if rl else _SFT, chosen.settings.seed)
    held = frozenset[str]()
    if settings.val_share:
        table = "samples" if rl else "trajectories"
        samples = query_rows(run, f"SELECT sample_id, {table}.image_ids AS image_ids {query}")
        pairs = ((row["sample_id"], row["image_ids"]) for row in samples)
        held = held_out(pairs, share=settings.val_share, seed=settings.seed)
    dialect = rl_dialect(recipe, chosen.target)
    rows = _samples(run, query, dialect, recipe.tools) if rl else _trajectories(run, query)
    for row in rows:
        yield replace(row, split="val" if row.sample.sample_id in held else "train")


def rl_dialect(recipe: Recipe, target: str) -> str:
    """The dialect that the trainer's environment speaks, else that of the tools arm."""
    own = get_target(target).DIALECT
    if own is not None:
        return own
    tools = recipe.arms.tools
    return tools.dialect if tools else next(name for name in DIALECTS if name != "direct")


def _samples(run: Run, query: str, dialect: str, tools: tuple[Tool, ...]) -> Iterator[ExportRow]:
    for row in query_rows(run, f"SELECT * {query}", rows=_BATCH):
        sample = from_dict(Sample, row)
        # The stage `measure` decoded these images; only their bytes may have changed since.
        images = [unchanged(run.images, image_id) for image_id in sample.image_ids]
        benefit, policy = from_dict(Benefit, row), row["policy"] or ""
        yield ExportRow(
            sample, images, dialect, tools, benefit=benefit, policy=policy, decoded=True
        )


def unchanged(images: ImageStore, image_id: str) -> bytes:
    """An image's bytes as they were taken in.

    Raises:
        RunError: the file has other bytes now.
    """
    encoded = images.read(image_id)
    if hashlib.sha256(encoded).hexdigest() != image_id:
        raise RunError(f"{images.path(image_id)} was changed: restore it from a copy")
    return encoded


def _trajectories(run: Run, query: str) -> Iterator[ExportRow]:
    columns = "trajectories, samples, benefits, teacher"
    for row in query_rows(run, f"SELECT {columns} {query}", rows=_BATCH):
        trajectory = from_dict(Trajectory, row["trajectories"])
        images = [unchanged(run.images, image_id) for image_id in trajectory.image_ids]
        known = row["benefits"] and row["benefits"]["sample_id"]
        yield ExportRow(
            from_dict(Sample, row["samples"]),
            images,
            trajectory.dialect,
            trajectory=trajectory,
            benefit=from_dict(Benefit, row["benefits"]) if known else None,
            teacher=row["teacher"] or "",
        )
