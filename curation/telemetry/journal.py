"""The figures on disk: `telemetry.jsonl` in a run folder, a line every few seconds of a stage.

Lines are only added, so that what a killed session asked is known up to its last seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from curation.telemetry.traffic import Traffic

FILE = "telemetry.jsonl"
"""In the run folder."""

ByStage = Mapping[str, Mapping[str, Traffic]]
"""Stage to model to figures."""


def append(path: Path, stage: str, model: str, traffic: Traffic) -> None:
    """Add a line; a line break comes first, so that half a line of a killed session spoils none."""
    line = {"stage": stage, "model": model} | traffic.told()
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps(line))


def read_traffic(path: Path) -> ByStage:
    """The sums of all lines, in the order in which stages first asked; half a line is none."""
    found: dict[str, dict[str, Traffic]] = {}
    if not path.exists():
        return found
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        models = found.setdefault(line["stage"], {})
        models[line["model"]] = models.get(line["model"], Traffic()) + Traffic.read(line)
    return found
