"""The whole contract check of exports on disk: the sets of shards, then every row.

`toolsight export` applies the same rules: those of rows before a row is written, those of sets
before the folder is published.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.errors import ExportError
from curation.exporters.base import Target, image_columns
from curation.exporters.checks import ContractCheck, Rule, types
from curation.exporters.common_rules import image_pixels
from curation.exporters.dpo import both
from curation.exporters.manifest import Manifest, Shard, read_manifest
from curation.exporters.settings import FILES, MAX_GROUP_ROWS, ExportSettings
from curation.exporters.shard_rules import (
    Finding,
    check_files,
    check_launch,
    check_provenance,
    check_shard,
    check_splits,
    read_provenance,
)
from curation.exporters.targets import get_target
from curation.exporters.tokens import length, token_count


def target_schema(target: Target, settings: ExportSettings) -> pa.Schema:
    """The one schema of all shards: with image bytes, or with paths in their place.

    Raises:
        ExportError: the trainer cannot read images that lie beside the shards.
    """
    schema = target.SCHEMA
    if settings.images != FILES:
        return schema
    if not target.FILES:
        raise ExportError(
            f'{target.NAME} cannot read images beside its shards: choose images = "inline"'
        )
    for name in image_columns(schema):
        paths = pa.field(name, pa.list_(pa.string()))
        schema = schema.set(schema.get_field_index(name), paths)
    return schema


def contract_rules(target: Target, settings: ExportSettings) -> tuple[Rule, ...]:
    """Every rule of a row; that of types comes first, since the others rely on it."""
    chosen = [image_pixels(settings.min_side, settings.max_pixels)]
    if limit := token_limit(target, settings):
        chosen.append(length(token_count(settings.processor), limit, rl=target.KIND == "rl"))
    if target.KIND == "dpo":
        chosen = [both(rule) for rule in chosen]
    return types(target_schema(target, settings)), *target.RULES, *chosen


def token_limit(target: Target, settings: ExportSettings) -> int | None:
    """Longest row: as chosen, else the target's own; None where length does not matter."""
    return target.MAX_TOKENS and (settings.max_tokens or target.MAX_TOKENS)


def check_exports(
    folders: Sequence[Path],
    target: str | None = None,
    *,
    processor: str | None = None,
    max_prompt_tokens: int | None = None,
    cutoff: int | None = None,
) -> Iterator[Finding]:
    """What a trainer would refuse, lose or trip over in exports that it is given together.

    Args:
        folders: exports; several are checked as the one set of shards that a run would read.
        target: what to check them for; by default the target that they were written for.
        processor: folder of the model's processor, for exact token counts.
        max_prompt_tokens: longest prompt of an RL target, by default as it was when written.
        cutoff: longest conversation of an SFT or DPO target, likewise.

    Raises:
        ExportError: unknown target, a folder that is no export, no usable processor, or a limit
            that is of no use for the target.
    """
    manifests = [read_manifest(folder) for folder in folders]
    chosen, settings = get_target(target or manifests[0].target), manifests[0].settings
    given, useless = max_prompt_tokens, cutoff
    if chosen.KIND != "rl":
        given, useless = useless, given
    if useless or (given and not chosen.MAX_TOKENS):
        raise ExportError(
            f"{chosen.NAME} is a target of the kind {chosen.KIND}: max-prompt-tokens is for"
            " prompts of RL targets, cutoff for conversations of SFT targets and of pairs"
        )
    settings = replace(settings, max_tokens=given or settings.max_tokens, processor=processor)
    schema, check = target_schema(chosen, settings), ContractCheck(contract_rules(chosen, settings))
    return _check(folders, manifests, schema, check)


def _check(
    folders: Sequence[Path], manifests: Sequence[Manifest], schema: pa.Schema, check: ContractCheck
) -> Iterator[Finding]:
    tables = [read_provenance(folder) for folder in folders]
    for folder, manifest, table in zip(folders, manifests, tables, strict=True):
        found = list(check_set(folder, manifest, schema, table))
        yield from found
        # Rows of a shard that is broken as a whole would only say it again, one by one.
        broken = {finding.where for finding in found}
        yield from _check_rows(folder, manifest, table, check, broken)
    yield from check_splits(folders, tables)


def check_set(
    folder: Path, manifest: Manifest, schema: pa.Schema, table: pa.Table | None
) -> Iterator[Finding]:
    """The rules of one export's files; `table` is its provenance."""
    yield from check_files(folder, manifest)
    yield from check_launch(folder, manifest)
    for shard in manifest.shards:
        if (folder / shard.name).exists():
            yield from check_shard(folder / shard.name, shard, schema)
    yield from check_provenance(folder, manifest, table)


def _check_rows(
    folder: Path,
    manifest: Manifest,
    table: pa.Table | None,
    check: ContractCheck,
    broken: Container[str],
) -> Iterator[Finding]:
    """Every row of the shards that can be read, one row group in memory at a time."""
    done: Counter[str] = Counter()
    for shard in manifest.shards:
        ids = _row_ids(table, shard, done[shard.split])
        done[shard.split] += shard.rows
        path = folder / shard.name
        if str(path) in broken or not path.exists():
            continue
        with pq.ParquetFile(path) as file:
            rows = (row for batch in file.iter_batches(MAX_GROUP_ROWS) for row in batch.to_pylist())
            for number, (row, row_id) in enumerate(zip(rows, ids, strict=False)):
                if complaint := check(row, row_id, folder=folder):
                    yield Finding(f"{path} row {number}", *complaint)


def _row_ids(table: pa.Table | None, shard: Shard, start: int) -> Iterator[str]:
    """The ids of a shard's rows, as the provenance has them; else ids that say where they are."""
    ids: list[str] = []
    if table is not None:
        ours = table.filter(pc.equal(table["split"], shard.split))
        ids = ours["row_id"].slice(start, shard.rows).to_pylist()
    return itertools.chain(ids, (f"{shard.name} row {n}" for n in itertools.count(len(ids))))
