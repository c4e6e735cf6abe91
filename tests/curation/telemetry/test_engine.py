"""What vLLM's page says, and what is counted between two looks at it."""

from __future__ import annotations

from curation.telemetry.engine import Engine, read_page
from curation.telemetry.traffic import Traffic

PAGE = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="m"}} {running}.0
vllm:num_requests_running{{engine="1",model_name="m"}} 1.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{engine="0",model_name="m"}} 2.0
vllm:num_requests_waiting_by_reason{{engine="0",model_name="m",reason="capacity"}} 7.0
# TYPE vllm:prefix_cache_queries counter
vllm:prefix_cache_queries_total{{engine="0",model_name="m"}} {queries}.0
vllm:prefix_cache_queries_created{{engine="0",model_name="m"}} 1.7e+09
vllm:prefix_cache_hits_total{{engine="0",model_name="m"}} {hits}.0
vllm:mm_cache_queries_total{{engine="0",model_name="m"}} 10.0
vllm:mm_cache_hits_total{{engine="0",model_name="m"}} 4.0
# TYPE vllm:e2e_request_latency_seconds histogram
vllm:e2e_request_latency_seconds_bucket{{engine="0",le="0.3",model_name="m"}} 5.0
vllm:e2e_request_latency_seconds_count{{engine="0",model_name="m"}} {replies}.0
vllm:e2e_request_latency_seconds_sum{{engine="0",model_name="m"}} {latency}
vllm:request_queue_time_seconds_sum{{engine="0",model_name="m"}} {latency}e-1
vllm:request_prefill_time_seconds_sum{{engine="0",model_name="m"}} {latency}e-1
vllm:request_decode_time_seconds_sum{{engine="0",model_name="m"}} {latency}e-1
process_cpu_seconds_total 12.5
"""


def page(running: int = 3, queries: int = 0, hits: int = 0, replies: int = 0) -> str:
    """A page as vLLM writes it, with less on it; a reply takes a second."""
    latency = float(replies)
    return PAGE.format(
        running=running, queries=queries, hits=hits, replies=replies, latency=latency
    )


def test_a_page_is_read_by_name_and_summed_over_engines() -> None:
    figures = read_page(page(queries=8, hits=2))
    assert (figures["running"], figures["waiting"]) == (4, 2)
    assert (figures["prefix_cache_queries"], figures["prefix_cache_hits"]) == (8, 2)
    assert (figures["image_cache_queries"], figures["image_cache_hits"]) == (10, 4)


def test_what_a_server_did_before_and_a_restart_are_not_counted() -> None:
    engine = Engine()
    engine.take({"a": page(queries=1000, hits=900, replies=50), "b": "<html>no figures</html>"})
    engine.take({"a": page(running=5, queries=1100, hits=975, replies=60)})
    engine.take({"a": page(queries=20, hits=5, replies=2)})
    engine.take({"a": 'vllm:num_requests_running{engine="0" 3'})
    told = Traffic(engine=dict(engine.sums)).told()
    assert told["prefix_cache_hit_rate"] == round(80 / 120, 4)
    assert engine.sums["replies"] == 12
    assert told["seconds_preparing"] == 0.7 and told["seconds_queued"] == 0.1
    assert told["image_cache_hit_rate"] == 0.4 and engine.sums["image_cache_queries"] == 10
    assert told["mean_running"] == round(14 / 3, 4) and told["mean_waiting"] == 2


def test_a_server_without_figures_tells_nothing() -> None:
    engine = Engine()
    engine.take({"a": "# nothing\n"})
    engine.take({})
    assert not engine.sums
    assert Traffic().told()["prefix_cache_hit_rate"] is None
