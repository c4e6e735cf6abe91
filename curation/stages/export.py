"""Export: what was decided and composed, as shards in a trainer's own schema."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any, NamedTuple

from curation.dialects import DIALECTS
from curation.errors import RunError
from curation.evidence import evidence
from curation.exporters import (
    Background,
    ExportRow,
    ExportSettings,
    get_target,
    write_export,
)
from curation.exporters.splits import held_out
from curation.funnel import read_funnel
from curation.images import ImageStore
from curation.job import Job
from curation.manifest import Exported, read_manifest, usage, versions
from curation.mixing import HEADER
from curation.recipes.recipe import Export, Recipe
from curation.rollouts.plans import MISLED
from curation.runs import Run
from curation.stage import Count, batches, query_rows, to_json
from curation.stages.choose import shares
from curation.tools import Tool
from curation.verification import names_sql
from schemas import Author, Benefit, Pair, Sample, Trajectory
from schemas.arrow import from_dict
from schemas.rollout import TEACHING

_RL = f"""
    FROM verdicts JOIN samples USING (sample_id) JOIN benefits USING (sample_id)
    LEFT JOIN (SELECT sample_id, any_value(model) AS policy FROM rollouts
               WHERE arm NOT IN {names_sql(TEACHING)} GROUP BY sample_id) USING (sample_id)
    WHERE split = 'rl' ORDER BY {{order}}
"""
_FAULTY = f"""
    list_filter(range(1, len(turns) + 1), lambda n: turns[n].call.error IS NOT NULL
                OR (n = 1 AND coalesce(written_by.plan IN {names_sql(MISLED)}, false)))
"""
"""SQL: the turns of a rollout, from 1, whose action failed or was wrong on purpose."""
_SFT = f"""
    FROM trajectories JOIN samples USING (sample_id) LEFT JOIN benefits USING (sample_id)
    LEFT JOIN (SELECT rollout_id, written_by AS author, {_FAULTY} AS faulty FROM rollouts)
        USING (rollout_id)
    ORDER BY {{order}}
"""
_DPO = f"""
    FROM (SELECT *, prompt_images || chosen_images || rejected_images AS image_ids FROM pairs)
        AS pairs
    JOIN samples USING (sample_id) LEFT JOIN benefits USING (sample_id)
    LEFT JOIN (SELECT rollout_id AS chosen_rollout, written_by AS author, {_FAULTY} AS faulty
               FROM rollouts) USING (chosen_rollout)
    ORDER BY {{order}}
"""


class Listing(NamedTuple):
    """Where the rows of a kind of target come from."""

    query: str
    """SQL that begins with FROM; `{order}` is filled in."""
    table: str
    """The table of the run that has one row a row, with its `image_ids`."""
    key: str


_LISTINGS = {
    "rl": Listing(_RL, "samples", "sample_id"),
    "sft": Listing(_SFT, "trajectories", "trajectory_id"),
    "dpo": Listing(_DPO, "pairs", "pair_id"),
}
_BESIDE = "samples, benefits, author, faulty"
_BATCH = 32
"""Rows whose images are in memory at once."""


def export(job: Job, chosen: Export) -> Count:
    """Write one target, unless it was written from exactly these rows before."""
    made_from = fingerprint(job.run, chosen, mask=_masks(job.recipe))
    before = read_manifest(job.run).exports.get(chosen.target)
    folder = job.run.export_path(chosen.target)
    if before is not None and before.made_from == made_from and folder.exists():
        done = before
    else:
        rows = export_rows(job.run, job.recipe, chosen)
        summary = write_export(
            chosen.target, rows, folder, chosen.settings, background=_background(job, chosen)
        )
        done = Exported(summary.rows, summary.left_out_by, made_from)
    job.log.exports[chosen.target] = done
    left_out = sum(done.left_out.values())
    return Count(f"export {chosen.target}", done.rows + left_out, done.rows, left_out).check()


def _background(job: Job, chosen: Export) -> Background:
    run, teach = job.run, job.recipe.teach
    taught = get_target(chosen.target).KIND != "rl"
    mix = [each.cells() for each in shares(run, teach)] if teach and taught else []
    return Background(
        funnel=read_funnel(run).cells(),
        recipe=_public(run.recipe_path.read_text(encoding="utf-8")),
        models=usage(run)[1],
        versions=versions(),
        mix=[HEADER, *mix] if mix else [],
        evidence=evidence(run),
    )


def _public(recipe: str) -> str:
    """A recipe without somebody's addresses and paths, and the names of their secrets."""
    private = ("url = ", "urls = ", "api_key_env = ", "prompt = ", "exemplars = ")
    lines = recipe.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(private))


def _masks(recipe: Recipe) -> bool:
    """Whether faulty turns are left out of the loss."""
    return recipe.teach is not None and recipe.teach.error_turns == "mask"


def fingerprint(run: Run, chosen: Export, *, mask: bool) -> str:
    """Hash of what an export is made from: its rows by content, what is masked in them, its target
    and settings."""
    settings = asdict(chosen.settings)
    digest = hashlib.sha256(to_json([version("toolsight"), chosen.target, settings]).encode())
    kind = get_target(chosen.target).KIND
    measured = ", benefits.* EXCLUDE (sample_id)" if kind == "rl" else ", faulty" if mask else ""
    keys = f"SELECT {_LISTINGS[kind].key}{measured} {_ordered(_LISTINGS[kind], 0)}"
    for batch in batches(run, keys):
        digest.update(repr(batch.to_pylist()).encode())
    return digest.hexdigest()


def _ordered(listing: Listing, seed: int) -> str:
    """Rows in an order that depends on the seed and on nothing but their own ids."""
    key = listing.key
    return listing.query.format(order=f"md5('{seed}/' || {key}), {key}")


def export_rows(run: Run, recipe: Recipe, chosen: Export) -> Iterator[ExportRow]:
    """The rows of a target: RL samples, verified trajectories, or pairs.

    Raises:
        RunError: the target wants pairs, and the recipe makes none.
    """
    kind, settings = get_target(chosen.target).KIND, chosen.settings
    if kind == "dpo" and not (recipe.teach and recipe.teach.pairs):
        raise RunError(
            f"{chosen.target} is written from pairs, and the recipe makes none: set `pairs = 2`"
            " in its [teach] and run it again, which asks no model"
        )
    listing = _LISTINGS[kind]
    query = _ordered(listing, settings.seed)
    held = _held_out(run, listing, query, settings) if settings.val_share else frozenset()
    dialect = rl_dialect(recipe, chosen.target)
    if kind == "rl":
        rows = _samples(run, query, dialect, recipe.tools)
    else:
        rows = _trajectories(run, query) if kind == "sft" else _pairs(run, query)
    masks = _masks(recipe)
    for row in rows:
        split = "val" if row.sample.sample_id in held else "train"
        yield replace(row, split=split, masked=row.masked if masks else ())


def _held_out(run: Run, listing: Listing, query: str, settings: ExportSettings) -> frozenset[str]:
    shown = query_rows(run, f"SELECT sample_id, {listing.table}.image_ids AS image_ids {query}")
    groups = ((row["sample_id"], row["image_ids"]) for row in shown)
    return held_out(groups, share=settings.val_share, seed=settings.seed)


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
    for row in query_rows(run, f"SELECT trajectories, {_BESIDE} {query}", rows=_BATCH):
        trajectory = from_dict(Trajectory, row["trajectories"])
        row |= {"dialect": trajectory.dialect, "image_ids": trajectory.image_ids}
        yield replace(_taught(run, row), trajectory=trajectory, masked=tuple(row["faulty"] or ()))


def _pairs(run: Run, query: str) -> Iterator[ExportRow]:
    for row in query_rows(run, f"SELECT pairs, {_BESIDE} {query}", rows=_BATCH):
        pair = from_dict(Pair, row["pairs"])
        row |= {"dialect": pair.dialect, "image_ids": pair.image_ids}
        yield replace(_taught(run, row), pair=pair, masked=_of_chosen(pair, row["faulty"] or ()))


def _of_chosen(pair: Pair, faulty: Sequence[int]) -> tuple[int, ...]:
    """The faulty turns of the chosen side; what both sides begin with cancels out in the loss."""
    before, said = (
        sum(message.role == "assistant" for message in part) for part in (pair.prompt, pair.chosen)
    )
    return tuple(turn - before for turn in faulty if before < turn <= before + said)


def _taught(run: Run, row: Mapping[str, Any]) -> ExportRow:
    """What a trajectory and a pair have in common."""
    known = row["benefits"] and row["benefits"]["sample_id"]
    return ExportRow(
        from_dict(Sample, row["samples"]),
        [unchanged(run.images, image_id) for image_id in row["image_ids"]],
        row["dialect"],
        benefit=from_dict(Benefit, row["benefits"]) if known else None,
        author=from_dict(Author, row["author"]) if row["author"] else None,
    )
