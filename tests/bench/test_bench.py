from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import busy, direct, export, grade, scale
from tests.bench.__main__ import main, parser
from tests.bench.figure import Figure
from tests.scripted_server import ScriptedServer


def test_both_sides_of_the_direct_benchmark_send_the_same_requests(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        pair = direct.prepare(tmp_path, server.url, samples=6, in_flight=4)
        direct.stage_rate(pair, seed=3)
        stage = list(server.requests)
        server.requests.clear()
        direct.bare_rate(pair, seed=3)
        assert direct.compare(pair, 1) > 0
    assert len(stage) == 6
    by_seed = {request["seed"]: request for request in stage}
    assert by_seed == {request["seed"]: request for request in server.requests[:6]}
    assert server.most_in_flight <= 4


def test_a_small_run_is_measured_and_growth_compares_the_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scale, "MOST_GIB", 0.01)
    assert main(["scale", "--samples", "60", "--keep", str(tmp_path)]) == 1
    outcome, memory, funnel, again = capsys.readouterr().out.splitlines()
    assert outcome.startswith("scale: 60 samples in ")
    assert "(bar: at most 0.01 GiB) MISSED" in memory
    assert funnel.startswith("scale: the funnel: ") and "(bar: at most 1 s)" in funnel
    assert again.startswith("scale: starting again: ") and "(bar: at most 10 s)" in again
    assert (tmp_path / "run-60/exports/verl/train-00000.parquet").exists()


def test_a_small_corpus_is_built_and_searched(capsys: pytest.CaptureFixture[str]) -> None:
    main(["search", "--documents", "300", "--queries", "5"])
    rate, median, p95 = capsys.readouterr().out.splitlines()
    assert rate.startswith("search: documents indexed a second: ")
    assert median.startswith("search: median query, 300 documents: ")
    assert "p95" in p95 and " ms (bar: at most 30 ms)" in p95


def test_a_run_that_fails_is_told_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No model server answers"):
        scale.run(tmp_path, "http://127.0.0.1:9", 10)


def test_the_simulated_benchmarks_print_a_line_for_every_claim(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["curtail", "--samples", "300"])
    curtailed = capsys.readouterr().out.splitlines()
    assert sum("(bar: at most 1.05) " in line for line in curtailed) == 6
    main(["estimates", "--samples", "300"])
    printed = capsys.readouterr().out
    assert "deepeyes-v2, mixed pool: " in printed and "(bar: 94 to 97 %)" in printed
    assert "kept in 95 % on 16 attempts an arm: 42% from 0%, 70% from 10%" in printed


def test_the_cost_of_telemetry_is_measured_in_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    main(["telemetry", "--samples", "40"])
    told, share = capsys.readouterr().out.splitlines()
    assert told.startswith("telemetry: 320 rollouts in ") and "Usage.flight" in told
    assert share.startswith("telemetry: share of the stage's time: ") and "at most 2 %" in share


def test_what_a_store_costs_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["stores", "--images", "20", "--kib", "1"])
    *told, figure = capsys.readouterr().out.splitlines()
    assert len(told) == 4 and "put_file 200" in told[1]
    assert figure.startswith("stores: processor time an object: ") and "at most 10 ms" in figure


def test_rows_lost_under_chaos_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "--kills", "1", "--samples", "4"]) == 0
    told, lost, doubled = capsys.readouterr().out.splitlines()
    assert told.startswith("chaos: 1 kills in 1 runs; ")
    assert "rows lost: 0.00" in lost and "rows doubled: 0.00" in doubled


def test_a_curtailed_stage_is_compared_with_a_full_one_on_the_same_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(busy, "REPLY_SECONDS", 0.001)
    main(["busy", "--samples", "40"])
    printed = capsys.readouterr().out
    assert "busy: deepeyes-v2, full draw: 320 replies to 40 requests" in printed
    assert printed.count("curtailed over full") == 2


def test_the_use_of_a_server_is_what_was_in_flight_of_what_could_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["inflight", "--rollouts", "8", "--in-flight", "4", "--seconds", "0.01"])
    told, used, memory = capsys.readouterr().out.splitlines()
    assert told.startswith("inflight: 8 rollouts of 3 turns in ")
    assert "(bar: at least 0.95)" in used and "(bar: at most 1.5 GiB) met" in memory


@pytest.mark.serve
def test_both_clients_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["client", "--requests", "8", "--rounds", "1"])
    told, figure = capsys.readouterr().out.splitlines()
    assert told.startswith("client: round 1: ours ") and "over openai's" in figure


@pytest.mark.parametrize(("value", "met"), [(93.9, False), (94.0, True), (97.1, False)])
def test_a_bar_can_be_a_range(value: float, met: bool) -> None:
    assert Figure("cover", value, 94, unit="%", to=97).met is met


def test_every_figure_of_the_sandbox_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["sandbox", "--rounds", "2", "--kernels", "1", "--row", "2", "--at-once", "3"])
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 10
    assert "sandbox: lost of 2 in a row: 0.00 (bar: at most 0) met" in said
    assert "sandbox: lost of 3 at once: 0.00 (bar: at most 0) met" in said


def test_every_kind_of_grading_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["grade", "--count", "20", "--rounds", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(grade.PAIRS)
    assert all("(bar: at least 10000 a second)" in line for line in lines)


@pytest.mark.parametrize(("value", "ceiling", "met"), [(0.9, False, True), (1.0, True, False)])
def test_a_bar_is_a_floor_or_a_ceiling(value: float, ceiling: bool, met: bool) -> None:
    assert Figure("rate", value, 0.9, ceiling).met is met


def test_an_export_is_measured_against_plain_pyarrow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["export", "--gib", "0.004", "--folder", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    for target, told, speed, memory in zip(
        export.TARGETS, *(lines[i::3] for i in range(3)), strict=True
    ):
        assert told.startswith(f"export: {target}: 4 images: ")
        assert "speed over plain pyarrow's" in speed and "at least 0.7" in speed
        assert memory.endswith("met")
    assert list(tmp_path.iterdir()) == []


def test_the_defaults_are_what_the_bars_are_stated_for() -> None:
    assert parser().parse_args(["direct"]).rounds == 5
    assert parser().parse_args(["inflight"]).rollouts == 500
    assert parser().parse_args(["client"]).requests == 500
    assert parser().parse_args(["sandbox"]).row == 1000
    assert parser().parse_args(["export"]).gib == 2.0
    assert parser().parse_args(["scale"]).samples == [100_000, 1_000_000]
    assert parser().parse_args(["verify"]).trajectories == 128
    assert parser().parse_args(["estimates"]).samples == 10_000
    assert parser().parse_args(["search"]).documents == 100_000
    assert parser().parse_args(["busy"]).samples == 2000
    assert parser().parse_args(["chaos"]).kills == 50
    assert parser().parse_args(["telemetry"]).samples == 4000
    assert parser().parse_args(["stores"]).images == 2000
