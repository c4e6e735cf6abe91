"""What the service counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from curation.sandbox.session import CellResult

SECONDS = (0.001, 0.01, 0.1, 1, 10, 100)


class Meters:
    """One service's figures, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._cells = Counter(
            "toolsight_sandbox_cells", "Cells run.", ["status"], registry=self._registry
        )
        self._seconds = Histogram(
            "toolsight_sandbox_cell_seconds",
            "Wall time of a cell.",
            buckets=SECONDS,
            registry=self._registry,
        )
        self._refused = Counter(
            "toolsight_sandbox_refused",
            "Requests that no place, core or turn came free for in time.",
            registry=self._registry,
        )
        self._expired = Counter(
            "toolsight_sandbox_expired", "Sessions that were not used.", registry=self._registry
        )

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A figure that is read when it is asked for."""
        Gauge(f"toolsight_sandbox_{name}", text, registry=self._registry).set_function(value)

    def ran(self, result: CellResult) -> None:
        self._cells.labels(result.status).inc()
        self._seconds.observe(result.seconds)

    def refused(self) -> None:
        self._refused.inc()

    def expired(self) -> None:
        self._expired.inc()

    def text(self) -> bytes:
        """The figures in Prometheus' text format."""
        return generate_latest(self._registry)
