"""What vLLM tells of itself on its page for Prometheus (`/metrics`), as sums since a first look.

Names as in vLLM's documentation ("Production metrics"); other servers have no such page, or other
names, and then there is nothing to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

_COUNTED = {
    "vllm:prefix_cache_queries_total": "prefix_cache_queries",
    "vllm:prefix_cache_hits_total": "prefix_cache_hits",
    "vllm:mm_cache_queries_total": "image_cache_queries",
    "vllm:mm_cache_hits_total": "image_cache_hits",
    "vllm:e2e_request_latency_seconds_count": "replies",
    "vllm:e2e_request_latency_seconds_sum": "latency_seconds",
    "vllm:request_queue_time_seconds_sum": "queue_seconds",
    "vllm:request_prefill_time_seconds_sum": "prefill_seconds",
    "vllm:request_decode_time_seconds_sum": "decode_seconds",
}
"""Tokens looked up and found in the prefix cache, images in the image cache, and seconds of
replies; each reply of a request with several is one to the engine."""
_AT_THE_MOMENT = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
}
_NAMES = tuple({**_COUNTED, **_AT_THE_MOMENT})


def read_page(text: str) -> dict[str, float]:
    """Our figures on a page, summed over its engines.

    Raises:
        ValueError: the page is no Prometheus text.
    """
    ours = "\n".join(line for line in text.splitlines() if line.startswith(_NAMES))
    figures: dict[str, float] = {}
    for family in text_string_to_metric_families(ours + "\n"):
        for sample in family.samples:
            if name := _COUNTED.get(sample.name) or _AT_THE_MOMENT.get(sample.name):
                figures[name] = figures.get(name, 0.0) + sample.value
    return figures


@dataclass(slots=True)
class Engine:
    """What a model's servers have told since they were first looked at."""

    sums: dict[str, float] = field(default_factory=dict)
    """Also `looks`, and `running` and `waiting` summed over them."""
    running: float = 0.0
    waiting: float = 0.0
    """Requests at the last look."""
    _before: dict[str, dict[str, float]] = field(default_factory=dict)

    def take(self, pages: Mapping[str, str]) -> None:
        """Count what is new on the servers' pages; a page that cannot be read tells nothing."""
        looks = {}
        for url, text in pages.items():
            try:
                looks[url] = read_page(text)
            except ValueError:
                continue
        if not any(looks.values()):
            return
        self.running = sum(figures.get("running", 0.0) for figures in looks.values())
        self.waiting = sum(figures.get("waiting", 0.0) for figures in looks.values())
        self._add({"looks": 1.0, "running": self.running, "waiting": self.waiting})
        for url, figures in looks.items():
            self._count(self._before.get(url, figures), figures)
            self._before[url] = figures

    def _count(self, before: Mapping[str, float], now: Mapping[str, float]) -> None:
        """Add what has grown; a server that was started again counts from zero."""
        again = any(now.get(name, 0.0) < before.get(name, 0.0) for name in _COUNTED.values())
        grown = {
            name: now.get(name, 0.0) - (0.0 if again else before.get(name, 0.0))
            for name in _COUNTED.values()
        }
        engine = grown["queue_seconds"] + grown["prefill_seconds"] + grown["decode_seconds"]
        grown["preparing_seconds"] = max(0.0, grown.pop("latency_seconds") - engine)
        self._add(grown)

    def _add(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
