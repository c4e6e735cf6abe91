"""Writes an export: rows in, a folder of checked shards out, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import ExportError
from curation.exporters import provenance
from curation.exporters.base import (
    Background,
    ExportRow,
    Launch,
    Target,
    can_mask,
    image_columns,
)
from curation.exporters.card import Tally, card
from curation.exporters.checks import Complaint, ContractCheck
from curation.exporters.contract import check_set, contract_rules, target_schema, token_limit
from curation.exporters.croissant import CROISSANT, croissant
from curation.exporters.manifest import Manifest, Shard
from curation.exporters.publish import publishing
from curation.exporters.settings import FILES, INLINE, ExportSettings
from curation.exporters.shard_rules import SET_RULES, check_splits, read_provenance
from curation.exporters.shards import Limits, ShardWriter, row_bytes
from curation.exporters.targets import get_target
from curation.images import ImageStore

SHOWN = 1000
"""Left-out rows that a summary holds; the file beside the shards holds all."""

SPLITS = ("train", "val")
RECIPE = "recipe.toml"
_MASKED = (
    "assistant turn {} is to be left out of the loss, which this trainer cannot be told: export the"
    ' trajectory for ms-swift, or write error_turns = "drop"'
)
_RECORDS = Limits(shard_bytes=2**30, group_rows=64, group_bytes=2**20)


class LeftOut(NamedTuple):
    """A row that the trainer would refuse or lose."""

    sample_id: str
    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export holds."""

    target: str
    folder: Path
    rows: int
    shards: tuple[Shard, ...]
    left_out_by: dict[str, int]
    """Counts of all rows left out, by rule."""
    left_out: tuple[LeftOut, ...]
    """The first SHOWN of them."""

    @property
    def rows_in(self) -> int:
        return self.rows + sum(self.left_out_by.values())


def write_export(
    target: str,
    rows: Iterable[ExportRow],
    out: Path,
    settings: ExportSettings | None = None,
    *,
    background: Background | None = None,
) -> ExportSummary:
    """Export rows to the folder `out`, replacing an earlier export there.

    Rows are read once and held one row group at a time. A row that breaks a rule of the target is
    left out, counted and written to `records/left_out.parquet`. An export without rows has no
    shards; its card and that table say why.

    Args:
        target: name of the export target, see `TARGETS`.
        rows: samples for targets of the kind rl, trajectories for sft, pairs for dpo.
        out: the export's folder; until the end nothing is visible there.
        settings: the layout, by default the one of ExportSettings.
        background: how the rows were made, for the card.

    Raises:
        ExportError: unknown target, settings that it cannot keep, `out` is no export, the disk is
            full, or the finished shards break a rule of shard sets.
    """
    chosen, settings = get_target(target), settings or ExportSettings()
    filling = _Filling(chosen, settings)
    with publishing(out) as folder:
        filling.write(rows, folder)
        _describe(folder, chosen, settings, filling, background)
        _refuse_broken(folder, filling.manifest(), chosen, settings)
    return filling.summary(out)


def _describe(
    folder: Path,
    target: Target,
    settings: ExportSettings,
    filling: _Filling,
    background: Background | None,
) -> None:
    """Everything beside the shards that is text."""
    manifest, tally = filling.manifest(), filling.tally
    names = {split: [s.name for s in manifest.shards if s.split == split] for split in SPLITS}
    launch = Launch(names["train"], names["val"], token_limit(target, settings) or 0)
    files = target.files(launch) if launch.train else {}
    schema = target_schema(target, settings)
    page = card(target, tally, manifest, schema=schema, files=files, background=background)
    texts = files | {"README.md": page, CROISSANT: croissant(manifest, schema, tally)}
    if background:
        texts[f"{provenance.FOLDER}/{RECIPE}"] = background.recipe
    _write_texts(folder, texts)
    manifest.write(folder)


def _refuse_broken(
    folder: Path, manifest: Manifest, target: Target, settings: ExportSettings
) -> None:
    """Read back what was written; rows were checked on their way, so only the set is left."""
    if not manifest.shards:
        return
    table, schema = read_provenance(folder), target_schema(target, settings)
    findings = [*check_set(folder, manifest, schema, table), *check_splits([folder], [table])]
    if findings:
        name, (_, rule, sentence) = Path(findings[0].where).name, findings[0]
        raise ExportError(f"the export is not published: {name} breaks {rule}: {sentence}")


class _Filling:
    """The rows of one export on their way to the shards and the tables beside them."""

    def __init__(self, target: Target, settings: ExportSettings) -> None:
        self._target, self._settings = target, settings
        self._schema = target_schema(target, settings)
        self._image_columns = image_columns(target.SCHEMA)
        self._limits = Limits(settings.shard_bytes, settings.group_rows, settings.group_bytes)
        # Rows are checked with their images' bytes, before any file is written for them.
        self._rules = contract_rules(target, replace(settings, images=INLINE))
        self._check = ContractCheck(self._rules)
        self._shown: list[LeftOut] = []
        self.tally = Tally()
        self._shards: list[Shard] = []

    def write(self, rows: Iterable[ExportRow], folder: Path) -> None:
        records = folder / provenance.FOLDER
        records.mkdir()
        store = ImageStore(folder / "images")
        with ExitStack() as stack:
            shards = {
                split: stack.enter_context(ShardWriter(folder, split, self._schema, self._limits))
                for split in SPLITS
            }
            kept = stack.enter_context(_table(records, provenance.PROVENANCE))
            left_out = stack.enter_context(_table(records, provenance.LEFT_OUT))
            for example in rows:
                row_id = self._row_id(example)
                row = self._target.row(example, index=row_id, split=example.split)
                if complaint := self._complaint(example, row, row_id):
                    left_out.append(provenance.left_out_row(example, row_id, complaint))
                    self._leave_out(example, complaint)
                    continue
                place = shards[example.split]
                kept.append(provenance.provenance_row(example, row, row_id, place.rows))
                self.tally.keep(example, sum(len(row[name]) for name in self._image_columns))
                place.append(self._beside(row, store) if self._settings.images == FILES else row)
        self._shards = [shard for writer in shards.values() for shard in writer.shards]

    def _row_id(self, example: ExportRow) -> str:
        if self._target.KIND == "dpo" and example.pair:
            return example.pair.pair_id
        if self._target.KIND == "sft" and example.trajectory:
            return example.trajectory.trajectory_id
        return example.sample.sample_id

    def _complaint(self, example: ExportRow, row: dict[str, Any], row_id: str) -> Complaint | None:
        wanted, own = self._settings.dialect, example.dialect
        if wanted is not None and own != wanted:
            return Complaint("dialect", f"the row is in {own} and the export takes {wanted} alone")
        if example.masked and not can_mask(self._target.SCHEMA):
            return Complaint("masked_turns", _MASKED.format(example.masked[0]))
        size, most = row_bytes(row), self._limits.group_bytes
        if size > most and self._settings.images == INLINE:
            return Complaint(
                "row_size",
                f"the row has {size:,} bytes and a row group holds {most:,}:"
                " store its images in a smaller format",
            )
        return self._check(row, row_id, decoded=example.decoded)

    def _beside(self, row: dict[str, Any], store: ImageStore) -> dict[str, Any]:
        """The row with its images as files, each stored once, and their paths in its place."""
        return row | {
            column: [
                store.path(store.put(image["bytes"])).relative_to(store.folder.parent).as_posix()
                for image in row[column]
            ]
            for column in self._image_columns
        }

    def _leave_out(self, example: ExportRow, complaint: Complaint) -> None:
        self.tally.leave_out(complaint)
        if len(self._shown) < SHOWN:
            self._shown.append(LeftOut(example.sample.sample_id, *complaint))

    def manifest(self) -> Manifest:
        """The export in figures."""
        return Manifest(
            toolsight=version("toolsight"),
            target=self._target.NAME,
            rows=sum(shard.rows for shard in self._shards),
            shards=tuple(self._shards),
            left_out=dict(self.tally.left_out),
            rules=(*(rule.name for rule in self._rules), "unique_index", "row_size", *SET_RULES),
            settings=self._settings,
        )

    def summary(self, out: Path) -> ExportSummary:
        return ExportSummary(
            target=self._target.NAME,
            folder=out,
            rows=sum(shard.rows for shard in self._shards),
            shards=tuple(self._shards),
            left_out_by=dict(self.tally.left_out),
            left_out=tuple(self._shown),
        )


def _table(folder: Path, name: str) -> ShardWriter:
    schema = provenance.SCHEMAS[name]
    return ShardWriter(folder, name, schema, _RECORDS, one_file=True)


def _write_texts(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        if path.suffix == ".sh":
            path.chmod(0o755)
