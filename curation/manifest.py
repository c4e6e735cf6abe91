"""The manifest of a run: what made it and what came of it, written last and whole."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from curation.runs import Run
from curation.tables import write_text
from curation.telemetry import FILE, Traffic, read_traffic, total
from curation.telemetry.journal import ByStage

if TYPE_CHECKING:  # which reads the manifest for what was counted before
    from curation.stage import Count

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
    made_from: str = ""
    """See `curation.stage.made_from`; empty where the stage is no single query."""


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
    """By arm; of the rollouts of which `usage_from` is the hash (`curation.stage.made_from`)."""
    usage_from: str = ""
    sandbox: Mapping[str, str] = field(default_factory=dict)
    """Results of the sandbox's self-test."""
    exports: Mapping[str, Exported] = field(default_factory=dict)
    traffic: ByStage = field(default_factory=dict)
    """What every stage asked of every model, over all sessions, killed ones included."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """Tokens, GPU-seconds and money of all models together, in all and for a kept sample."""
    notes: Sequence[str] = ()
    """What was told of servers that were away, the latest last."""
    stopped: str = ""
    """Why the last session ended early; empty when it did everything."""
    mix: Sequence[Mapping[str, Any]] = ()
    """What the trajectories consist of: `curation.mixing.Share` by `Share`."""


@dataclass(slots=True)
class SessionLog:
    """What a session did so far, for the manifest."""

    probes: dict[str, str] = field(default_factory=dict)
    """What the sandbox found when it tested itself."""
    made: int = 0
    """Rows that were found owed."""
    counts: dict[str, Count] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """Of every stage that was tried, also of one that a cap stopped and that has no count."""
    exports: dict[str, Exported] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What else a person should know later, as it was told."""
    stopped: str | None = None
    """Why nobody is asked any more; null while nothing speaks against it."""

    def stages(self, before: Mapping[str, StageEntry]) -> dict[str, StageEntry]:
        """What is known of every stage, with what earlier sessions knew of it."""
        now = dict(before)
        for name, count in self.counts.items():
            past = before[name].seconds if name in before else 0.0
            figures = (count.rows_in, count.kept, count.dropped, count.quarantined)
            seconds = round(past + self.seconds[name], 3)
            now[name] = StageEntry(*figures, seconds, count.made_from)
        return now


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


def costs(run: Run, traffic: ByStage) -> dict[str, float]:
    """What all stages cost together, and what that is for each kept sample."""
    spent = total(each for models in traffic.values() for each in models.values())
    figures = {
        "tokens": float(spent.prompt_tokens + spent.completion_tokens),
        "gpu_seconds": spent.gpu_seconds,
        "money": spent.money,
    }
    kept = int(run.value("SELECT count(*) FROM verdicts WHERE kept"))
    for name, value in list(figures.items()) if kept else []:
        figures[f"{name}_a_kept_sample"] = value / kept
    return {name: round(value, 6) for name, value in figures.items()}


def read_manifest(run: Run) -> Manifest:
    """The manifest of a run, an empty one where none was written yet."""
    try:
        values: dict[str, Any] = json.loads(run.manifest_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Manifest()
    values["traffic"] = {
        stage: {model: Traffic.read(told) for model, told in models.items()}
        for stage, models in values.get("traffic", {}).items()
    }
    for name, record in (("stages", StageEntry), ("usage", Usage), ("exports", Exported)):
        values[name] = {key: record(**value) for key, value in values[name].items()}
    return Manifest(**values)


def added(notes: Sequence[str], more: Sequence[str]) -> list[str]:
    """The latest notes of all sessions."""
    return [*notes, *more][-_NOTES:]


def note_stop(run: Run, why: str, notes: Sequence[str]) -> None:
    """Write down why a session ended early."""
    before = read_manifest(run)
    told = added(before.notes, notes)
    traffic = read_traffic(run.path / FILE)
    write_manifest(run, replace(before, traffic=traffic, notes=told, stopped=why))


def write_manifest(run: Run, manifest: Manifest) -> None:
    """Replace the run's manifest."""
    values = asdict(manifest)
    values["traffic"] = {
        stage: {model: traffic.told() for model, traffic in models.items()}
        for stage, models in manifest.traffic.items()
    }
    text = json.dumps(values, indent=2, ensure_ascii=False)
    write_text(run.manifest_path, text + "\n")
