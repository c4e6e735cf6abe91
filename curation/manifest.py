"""The manifest of a run: what made it and what came of it, written last and whole."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any

from curation.runs import Run
from curation.tables import write_text

_PACKAGES = ("toolsight", "duckdb", "pyarrow", "pillow", "numpy", "math-verify")
_NOTES = 100
"""Notes that are kept."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    rows: int
    left_out: Mapping[str, int]
    """Rows that the trainer would refuse, by rule."""
    made_from: str
    """Hash of the rows that it was made from."""


@dataclass(frozen=True, slots=True)
class StageEntry:
    """The whole of a stage, over all sessions; seconds are of the sessions that ended."""

    rows_in: int
    kept: int
    dropped: int
    quarantined: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an arm's rollouts cost, and the time that models took for them."""

    rollouts: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that a person asks about a run later."""

    recipe: str = ""
    """Hash of the resolved recipe beside the manifest."""
    versions: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    """Who answered, by arm."""
    stages: Mapping[str, StageEntry] = field(default_factory=dict)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    sandbox: Mapping[str, str] = field(default_factory=dict)
    """Results of the sandbox's self-test."""
    exports: Mapping[str, Exported] = field(default_factory=dict)
    notes: Sequence[str] = ()
    """What was told of servers that were away, the latest last."""
    stopped: str = ""
    """Why the last session ended early; empty when it did everything."""


def versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def usage(run: Run) -> tuple[dict[str, Usage], dict[str, str]]:
    """Cost and model of every arm, summed over the rollouts on disk."""
    with run.connect() as db:
        rows = db.execute("""
            SELECT arm, count(*), string_agg(DISTINCT model, ', ' ORDER BY model),
                   sum(list_sum(list_transform(turns, lambda turn: turn.prompt_tokens))),
                   sum(list_sum(list_transform(turns, lambda turn: turn.completion_tokens)))
            FROM rollouts GROUP BY arm ORDER BY arm
        """).fetchall()
    costs = {arm: Usage(count, int(prompt), int(made)) for arm, count, _, prompt, made in rows}
    return costs, {arm: model for arm, _, model, _, _ in rows}


def read_manifest(run: Run) -> Manifest:
    """The manifest of a run, an empty one where none was written yet."""
    try:
        values: dict[str, Any] = json.loads(run.manifest_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Manifest()
    for name, record in (("stages", StageEntry), ("usage", Usage), ("exports", Exported)):
        values[name] = {key: record(**value) for key, value in values[name].items()}
    return Manifest(**values)


def added(notes: Sequence[str], more: Sequence[str]) -> list[str]:
    """The latest notes of all sessions."""
    return [*notes, *more][-_NOTES:]


def note_stop(run: Run, why: str, notes: Sequence[str]) -> None:
    """Write down why a session ended early."""
    before = read_manifest(run)
    write_manifest(run, replace(before, stopped=why, notes=added(before.notes, notes)))


def write_manifest(run: Run, manifest: Manifest) -> None:
    """Replace the run's manifest."""
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False)
    write_text(run.manifest_path, text + "\n")
