"""Writes an export: rows in, a folder of checked shards out, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from curation.exporters import provenance
from curation.exporters.base import ExportRow, Target
from curation.exporters.card import Tally, card
from curation.exporters.checks import Complaint, ContractCheck
from curation.exporters.publish import MANIFEST, publishing
from curation.exporters.shards import Limits, Shard, ShardWriter, check_layout, row_bytes
from curation.exporters.targets import get_target

SHOWN = 1000
"""Left-out rows that a summary holds; the file beside the shards holds all."""

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
    *,
    split: str = "train",
    shard_bytes: int = 1 << 30,
    group_rows: int = 32,
    group_bytes: int = 256 << 20,
    notes: Sequence[str] = (),
) -> ExportSummary:
    """Export rows to the folder `out`, replacing an earlier export there.

    Rows are read once and held one row group at a time. A row that breaks a rule of the target is
    left out, counted and written to `records/left_out.parquet`. An export without rows has no
    shards; its card and that table say why.

    Args:
        target: name of the export target, see `TARGETS`.
        rows: samples for targets of the kind rl, trajectories for sft.
        out: the export's folder; until the end nothing is visible there.
        split: name of the split, in file names and rows.
        shard_bytes: most bytes of a shard.
        group_rows: most rows of a row group; fewer where their bytes are too many.
        group_bytes: most bytes of a row group; a row beyond it is left out.
        notes: sentences for the card, such as the run's funnel.

    Raises:
        ExportError: unknown target, impossible limits, or `out` is no export.
    """
    chosen = get_target(target)
    limits = Limits(shard_bytes, group_rows, group_bytes)
    with publishing(out) as folder:
        filling = _Filling(chosen, folder, split, limits)
        filling.write(rows)
        check_layout(folder, filling.shards, chosen.SCHEMA, limits)
        files = chosen.files([shard.name for shard in filling.shards]) if filling.shards else {}
        page = card(
            chosen, filling.tally, split=split, shards=filling.shards, files=files, notes=notes
        )
        _write_texts(folder, files | {"README.md": page, MANIFEST: filling.manifest()})
    return filling.summary(out)


class _Filling:
    """The rows of one export on their way to the shards and the tables beside them."""

    def __init__(self, target: Target, folder: Path, split: str, limits: Limits) -> None:
        self._target = target
        self._folder = folder
        self._split = split
        self._limits = limits
        self._check = ContractCheck(target.RULES)
        self._shown: list[LeftOut] = []
        self.tally = Tally()
        self.shards: list[Shard] = []

    def write(self, rows: Iterable[ExportRow]) -> None:
        records = self._folder / provenance.FOLDER
        records.mkdir()
        with (
            ShardWriter(self._folder, self._split, self._target.SCHEMA, self._limits) as shards,
            _table(records, provenance.PROVENANCE, provenance.PROVENANCE_SCHEMA) as kept,
            _table(records, provenance.LEFT_OUT, provenance.LEFT_OUT_SCHEMA) as left_out,
        ):
            for example in rows:
                row_id = self._row_id(example)
                row = self._target.row(example, index=row_id, split=self._split)
                complaint = self._too_large(row) or self._check(row, row_id)
                if complaint:
                    left_out.append(provenance.left_out_row(example, row_id, complaint))
                    self._leave_out(example, complaint)
                else:
                    kept.append(provenance.provenance_row(example, row_id, shards.rows))
                    shards.append(row)
                    self.tally.keep(example, len(row["images"]))
        self.shards = shards.shards

    def _row_id(self, example: ExportRow) -> str:
        if self._target.KIND == "sft" and example.trajectory:
            return example.trajectory.trajectory_id
        return example.sample.sample_id

    def _too_large(self, row: dict[str, Any]) -> Complaint | None:
        size = row_bytes(row)
        if size <= self._limits.group_bytes:
            return None
        return Complaint(
            "row_size",
            f"the row has {size:,} bytes and a row group holds {self._limits.group_bytes:,}:"
            " store its images in a smaller format",
        )

    def _leave_out(self, example: ExportRow, complaint: Complaint) -> None:
        self.tally.leave_out(complaint)
        if len(self._shown) < SHOWN:
            self._shown.append(LeftOut(example.sample.sample_id, *complaint))

    def manifest(self) -> str:
        """The export in figures, as JSON."""
        facts = {
            "toolsight": version("toolsight"),
            "target": self._target.NAME,
            "split": self._split,
            "rows": sum(shard.rows for shard in self.shards),
            "shards": [asdict(shard) for shard in self.shards],
            "left_out": dict(self.tally.left_out),
            "rules": [rule.name for rule in self._target.RULES],
        }
        return json.dumps(facts, indent=2) + "\n"

    def summary(self, out: Path) -> ExportSummary:
        rows = sum(shard.rows for shard in self.shards)
        return ExportSummary(
            target=self._target.NAME,
            folder=out,
            rows=rows,
            shards=tuple(self.shards),
            left_out_by=dict(self.tally.left_out),
            left_out=tuple(self._shown),
        )


def _table(folder: Path, stem: str, schema: Any) -> ShardWriter:
    return ShardWriter(folder, stem, schema, _RECORDS, one_file=True)


def _write_texts(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        if path.suffix == ".sh":
            path.chmod(0o755)
