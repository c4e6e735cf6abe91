"""What Prefect's pages show of a run: funnel, cost, and where to look further.

Keys are stable: Prefect keeps the history of a run folder's funnel under one key, night by night.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from prefect.artifacts import create_link_artifact, create_table_artifact

from curation.funnel import read_funnel
from curation.job import Job
from curation.manifest import Manifest, read_manifest
from curation.report import write_report
from curation.runs import Run


def artifact_key(kind: str, run: Run) -> str:
    """`funnel-demo` for the run folder `runs/demo`; Prefect takes lower case, digits and dashes."""
    name = re.sub(r"[^a-z0-9]+", "-", run.path.name.lower()).strip("-")
    return f"{kind}-{name}" if name else kind


def publish(job: Job) -> None:
    """Write the report of a run and leave its artifacts; also where a cap has stopped it."""
    run = job.run
    header, *rows = read_funnel(run).cells()
    create_table_artifact(
        [dict(zip(header, row, strict=True)) for row in rows],
        key=artifact_key("funnel", run),
        description=f"What became of every row of {run.place}",
    )
    create_table_artifact(
        cost_rows(read_manifest(run)),
        key=artifact_key("cost", run),
        description=f"What {run.place} has cost so far, stage by stage, over all its sessions",
    )
    create_table_artifact(
        [{"model": name} | asdict(each.total) for name, each in job.budget.accounts.items()],
        key=artifact_key("spent", run),
        description=f"What each model has cost for {run.place} so far, over all its sessions",
    )
    report = run.path / "report.html"
    write_report(run, report)
    there = f"{run.place}/report.html"
    create_link_artifact(
        there if run.store else report.resolve().as_uri(),
        link_text=there,
        key=artifact_key("report", run),
        description=("In the store" if run.store else "On the machine that ran it")
        + f"; `toolsight funnel {run.place}` shows the shards",
    )


def cost_rows(manifest: Manifest) -> list[dict[str, Any]]:
    """One row a stage: its seconds, and what its rollouts cost, as the manifest has it."""
    return [
        {"stage": name, "seconds": entry.seconds} | _figures(manifest.usage.get(name))
        for name, entry in manifest.stages.items()
    ]


def _figures(usage: Any) -> Mapping[str, Any]:
    """Every figure that the manifest keeps of a stage that asks a model; nothing of the others."""
    return asdict(usage) if usage is not None else {}
