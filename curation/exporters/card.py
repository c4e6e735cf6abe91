"""The card of an export: README.md as people and the Hugging Face Hub read it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from curation.exporters.base import Background, ExportRow, Target
from curation.exporters.checks import Complaint
from curation.exporters.manifest import Manifest

_UNITS = {"rl": "samples", "sft": "verified trajectories", "dpo": "preference pairs"}
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
    rejected_by: Counter[str] = field(default_factory=Counter)
    """Exported pairs by the checks that speak against their rejected side."""
    steps: int = 0
    """Exported pairs whose sides are one turn."""

    def keep(self, example: ExportRow, images: int) -> None:
        sample, trajectory = example.sample, example.trajectory
        self.mix[sample.source, sample.category, sample.license] += 1
        self.dialects[trajectory.dialect if trajectory else example.dialect] += 1
        if example.pair:
            self.rejected_by.update(example.pair.rejected_by)
            self.steps += example.pair.step
        self.tools.update(tool.name for tool in example.tools)
        self.images += images

    @property
    def sources(self) -> list[str]:
        return sorted({source for source, _, _ in self.mix})

    @property
    def licenses(self) -> list[str]:
        return sorted({license for _, _, license in self.mix})

    def leave_out(self, complaint: Complaint) -> None:
        self.left_out[complaint.rule] += 1


def card(
    target: Target,
    tally: Tally,
    manifest: Manifest,
    *,
    schema: pa.Schema,
    files: dict[str, str],
    background: Background | None,
) -> str:
    """The whole README.md."""
    rows = manifest.rows
    sections = [
        _front_matter(target, manifest, tally.licenses),
        f"# Toolsight export for {target.NAME}\n\n{_summary(target, tally, manifest)}",
        "## Rows\n\n" + _mix(tally),
        *(["## Preferences\n\n" + _preferences(tally, manifest)] if tally.rejected_by else []),
        *([f"## Funnel\n\n{_funnel(background)}"] if background else []),
        *([f"## Mix\n\n{_came_out(background)}"] if background and background.mix else []),
        *(
            [f"## Evidence\n\n{_evidence(background)}"]
            if background and background.evidence
            else []
        ),
        "## Contract check\n\n" + _check(manifest, tally, rows),
        "## Columns\n\n" + _table(("column", "Arrow type"), _columns(schema)),
        "## Training\n\n" + _training(files, rows),
        "## Known limits\n\n" + "\n".join(f"- {note}" for note in _limits(target, tally)),
        "## Provenance\n\n" + _PROVENANCE,
        *([f"## How to reproduce\n\n{_reproduce(background)}"] if background else []),
    ]
    return "\n\n".join(sections) + "\n"


_PROVENANCE = """\
`records/provenance.parquet` has one row for every row here, by split and position: sample, source,
origin, license, models, hash of the system prompt, trajectory, image ids (SHA-256 of the exact
bytes), and attempts, right answers and rates without tools, with tools and on the oracle crop.
`records/left_out.parquet` names every row that was left out, the rule and the reason.
`export.json` is this page for programs, `croissant.json` its metadata for catalogues."""


def _funnel(background: Background) -> str:
    header, *lines = background.funnel
    return "When this was written, the run had made of the rows of its sources:\n\n" + _table(
        header, lines
    )


def _came_out(background: Background) -> str:
    header, *lines = background.mix
    return (
        "The trajectories of the run. Shares by category, tool calls and tool are of those that use"
        " tools; `verified` counts all rollouts that passed every check.\n\n"
        + _table(header, lines)
    )


def _evidence(background: Background) -> str:
    return "Whether the tools mattered:\n\n" + _table(("figure", "value"), background.evidence)


def _reproduce(background: Background) -> str:
    models = [(arm, name) for arm, name in background.models.items()]
    versions = ", ".join(f"{name} {number}" for name, number in background.versions.items())
    return (
        "`records/recipe.toml` is the recipe, with every default; add your models' URLs, then"
        f" `toolsight run records/recipe.toml`. Versions: {versions}.\n\n"
        + _table(("arm", "model"), models)
    )


def _front_matter(target: Target, manifest: Manifest, licenses: Sequence[str]) -> str:
    """Metadata of the Hub; a mix of licenses is `other` there and told by the table."""
    single = licenses[0].lower() if len(licenses) == 1 else "other"
    license_id = single if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", single) else "other"
    splits = list(dict.fromkeys(shard.split for shard in manifest.shards)) or ["train"]
    files = "\n".join(f'  - split: {split}\n    path: "{split}-*.parquet"' for split in splits)
    return (
        f"---\nlicense: {license_id}\ntask_categories:\n- visual-question-answering\ntags:\n"
        f"- toolsight\n- {target.NAME}\nconfigs:\n- config_name: default\n"
        f"  data_files:\n{files}\n---"
    )


def _summary(target: Target, tally: Tally, manifest: Manifest) -> str:
    unit = _UNITS[target.KIND]
    shards, size = manifest.shards, sum(shard.size for shard in manifest.shards) / 2**20
    val = sum(shard.rows for shard in shards if shard.split == "val")
    held = f", of which {val:,} in the split val, which shares no image with train" if val else ""
    return (
        f"Rows: {manifest.rows:,} ({unit}){held}. Images: {tally.images:,}, the bytes of their"
        f" sources, unchanged. Parquet shards: {len(shards)} ({size:,.1f} MiB)."
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


def _preferences(tally: Tally, manifest: Manifest) -> str:
    """What the rejected sides were rejected by; one may be rejected by several checks."""
    return (
        "The chosen side is a verified trajectory, the rejected side another rollout of the same"
        f" sample. Both begin alike; in {tally.steps:,} of {manifest.rows:,} pairs each side is the"
        " one turn in which they part.\n\n"
        + _table(("rejected by", "pairs"), tally.rejected_by.most_common())
    )


def _check(manifest: Manifest, tally: Tally, rows: int) -> str:
    left_out = tally.left_out.total()
    rules = ", ".join(manifest.rules)
    result = (
        f"Rows in: {rows + left_out:,}. Passed every rule and are here: {rows:,}."
        f" Left out: {left_out:,}. Rules: {rules}."
    )
    if not left_out:
        return result
    return result + "\n\n" + _table(("left out by", "rows"), tally.left_out.most_common())


def _columns(schema: pa.Schema) -> list[tuple[str, str]]:
    return [(column.name, f"`{column.type}`") for column in schema]


def _training(files: dict[str, str], rows: int) -> str:
    """The launch files in full; they lie beside this page, too."""
    if not rows:
        return "There are no rows to train on."
    parts = []
    for name, text in files.items():
        fence = _FENCES[name.rpartition(".")[2]]
        parts.append(f"`{name}`:\n\n```{fence}\n{text}```")
    return "\n\n".join(parts) or "`datasets.load_dataset(folder)` reads what is here."


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
