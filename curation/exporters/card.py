"""The card of an export: README.md as people and the Hugging Face Hub read it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from curation.exporters.base import ExportRow, Target
from curation.exporters.checks import Complaint
from curation.exporters.shards import Shard

_FENCES = {"sh": "bash", "py": "python", "yaml": "yaml", "json": "json"}


@dataclass(slots=True)
class Tally:
    """What is counted while rows go by."""

    mix: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Exported rows by source, category and license."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows left out by rule."""
    dialects: Counter[str] = field(default_factory=Counter)
    """Exported rows by the dialect that measured or wrote them."""
    tools: set[str] = field(default_factory=set)
    """Tools of the recipe with which rows were measured."""
    images: int = 0

    def keep(self, example: ExportRow, images: int) -> None:
        sample, trajectory = example.sample, example.trajectory
        self.mix[sample.source, sample.category, sample.license] += 1
        self.dialects[trajectory.dialect if trajectory else example.dialect] += 1
        self.tools.update(tool.name for tool in example.tools)
        self.images += images

    def leave_out(self, complaint: Complaint) -> None:
        self.left_out[complaint.rule] += 1


def card(
    target: Target,
    tally: Tally,
    *,
    split: str,
    shards: Sequence[Shard],
    files: dict[str, str],
    notes: Sequence[str],
) -> str:
    """The whole README.md; `notes` are further sentences from whoever ran the export."""
    rows = sum(shard.rows for shard in shards)
    licenses = sorted({license for _, _, license in tally.mix})
    sections = [
        _front_matter(split, licenses),
        f"# Toolsight export for {target.NAME}\n\n{_summary(target, tally, rows, shards)}",
        *(["\n".join(f"- {note}" for note in notes)] if notes else []),
        "## Rows\n\n" + _mix(tally),
        "## Contract check\n\n" + _check(target, tally, rows),
        "## Columns\n\n" + _table(("column", "Arrow type"), _columns(target)),
        "## Training\n\n" + _training(files),
        "## Known limits\n\n" + "\n".join(f"- {note}" for note in _limits(target, tally)),
        "## Provenance\n\n" + _PROVENANCE,
    ]
    return "\n\n".join(sections) + "\n"


_PROVENANCE = """\
`records/provenance.parquet` has one row for every row here, in the same order: sample, source,
origin, license, trajectory, image ids (SHA-256 of the exact bytes) and the counts of attempts and
right answers without tools, with tools and on the oracle crop. `records/left_out.parquet` names
every row that was left out, the rule and the reason. `export.json` is this page for programs."""


def _front_matter(split: str, licenses: Sequence[str]) -> str:
    """Metadata of the Hub; a mix of licenses is `other` there and told by the table."""
    single = licenses[0].lower() if len(licenses) == 1 else "other"
    license_id = single if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", single) else "other"
    return (
        f"---\nlicense: {license_id}\ntask_categories:\n- visual-question-answering\nconfigs:\n"
        f"- config_name: default\n  data_files:\n  - split: {split}\n"
        f'    path: "{split}-*.parquet"\n---'
    )


def _summary(target: Target, tally: Tally, rows: int, shards: Sequence[Shard]) -> str:
    unit = "samples with prompts" if target.KIND == "rl" else "verified trajectories"
    size = sum(shard.size for shard in shards) / 2**20
    return (
        f"Rows: {rows:,} ({unit}). Images: {tally.images:,}, the bytes of their sources,"
        f" unchanged. Parquet shards: {len(shards)} ({size:,.1f} MiB)."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _mix(tally: Tally) -> str:
    rows = [(*key, count) for key, count in sorted(tally.mix.items())]
    return _table(("source", "category", "license", "rows"), rows)


def _check(target: Target, tally: Tally, rows: int) -> str:
    left_out = tally.left_out.total()
    rules = ", ".join(rule.name for rule in target.RULES)
    result = (
        f"Rows in: {rows + left_out:,}. Passed every rule and are here: {rows:,}."
        f" Left out: {left_out:,}. Rules: {rules}, unique_index, row_size."
    )
    if not left_out:
        return result
    return result + "\n\n" + _table(("left out by", "rows"), tally.left_out.most_common())


def _columns(target: Target) -> list[tuple[str, str]]:
    return [(column.name, f"`{column.type}`") for column in target.SCHEMA]


def _training(files: dict[str, str]) -> str:
    """The launch files in full; they lie beside this page, too."""
    parts = []
    for name, text in files.items():
        fence = _FENCES[name.rpartition(".")[2]]
        parts.append(f"`{name}`:\n\n```{fence}\n{text}```")
    return "\n\n".join(parts) or "There are no rows to train on."


def _limits(target: Target, tally: Tally) -> list[str]:
    notes = list(target.NOTES)
    others = sum(n for dialect, n in tally.dialects.items() if dialect != target.DIALECT)
    if target.DIALECT and others:
        notes.append(
            f"{others:,} rows were measured with tools in another dialect than"
            f" {target.DIALECT}, which this trainer's environment speaks and their prompts use:"
            " their tool benefit was measured under other prompts."
        )
    if lacking := sorted(tally.tools - set(target.TOOLS)):
        notes.append(
            f"Measured with tools that this trainer's environment does not have and its prompts"
            f" therefore do not offer: {', '.join(lacking)}."
        )
    return notes
