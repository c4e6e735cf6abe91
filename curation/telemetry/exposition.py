"""A run's figures in Prometheus' text format, from what lies in its folder.

Made for the textfile collector of Prometheus' node exporter, which suits runs that come and go:
nothing has to listen. A run can be asked while it works; its figures are a quarter of a minute old.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from curation.manifest import read_manifest
from curation.runs import Run
from curation.telemetry.journal import FILE, ByStage, read_traffic

_COUNTED = {
    "sent": "Tries of requests that went out.",
    "requests": "Answered requests.",
    "failures": "Requests that were given up.",
    "prompt_tokens": "Tokens of prompts.",
    "completion_tokens": "Tokens of replies.",
    "request_seconds": "Seconds of answered requests, which overlap.",
    "encoding_seconds": "Seconds in which requests were built here.",
    "open_seconds": "Seconds in which a stage could have asked.",
    "busy_seconds": "Seconds in which a request was with a server.",
    "gpu_seconds": "Busy seconds times the model's GPUs.",
    "money": "Cost at the recipe's prices.",
}


def exposition(run: Run) -> str:
    """The figures of all sessions, as text; RunError where there is no run."""
    run.value("SELECT 1")
    registry = CollectorRegistry()
    registry.register(_Figures(run))
    return generate_latest(registry).decode()


class _Figures(Collector):
    """What a registry collects: families with a sample a stage and model."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def collect(self) -> Iterator[Metric]:
        traffic = read_traffic(self._run.path / FILE)
        name = self._run.path.resolve().name
        for figure, text in _COUNTED.items():
            family = CounterMetricFamily(
                f"toolsight_{figure}", text, labels=["run", "stage", "model"]
            )
            for stage, model, value in _values(traffic, figure):
                family.add_metric([name, stage, model], value)
            yield family
        yield from self._parts(name, traffic)
        yield self._rows(name)

    def _parts(self, name: str, traffic: ByStage) -> Iterator[Metric]:
        """Figures that are told by kind."""
        for figure, label, text in (
            ("faults", "kind", "Failed tries by kind."),
            ("engine", "figure", "What the model servers told, as sums."),
        ):
            labels = ["run", "stage", "model", label]
            family = CounterMetricFamily(f"toolsight_{figure}", text, labels=labels)
            for stage, model, parts in _values(traffic, figure):
                for part, value in parts.items():
                    family.add_metric([name, stage, model, part], value)
            yield family

    def _rows(self, name: str) -> Metric:
        """Rows of every stage, as of the last session that ended."""
        text = "Rows of a stage by what became of them."
        family = GaugeMetricFamily("toolsight_rows", text, labels=["run", "stage", "outcome"])
        for stage, entry in read_manifest(self._run).stages.items():
            for outcome in ("kept", "dropped", "quarantined"):
                family.add_metric([name, stage, outcome], getattr(entry, outcome))
        return family


def _values(traffic: ByStage, figure: str) -> Iterator[tuple[str, str, Any]]:
    for stage, models in traffic.items():
        for model, each in models.items():
            yield stage, model, getattr(each, figure)
