"""The live panel, drawn on a terminal of memory."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from curation.panel import Panel
from curation.progress import Lines, reporting
from curation.stage import Count


def drawn(panel: Panel, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=120, height=height, force_terminal=False)
    with console.capture() as captured:
        console.print(panel.draw())
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_panel_shows_stages_funnel_models_and_what_was_said() -> None:
    with Panel(Console(file=io.StringIO(), width=120)) as panel:
        panel.follow(lambda: ["policy: 12 requests, 3 in flight", "so far: 90 tokens"])
        panel.say("starting vLLM")
        panel.counted(Count("ingest", 40, 38, quarantined=2), 61.0)
        panel.counted(Count("grade", 10, 10), 1.0)
        panel.counted(Count("benefit", 40, 40), 1.0)
        panel.counted(Count("grade", 30, 30), 2.0)
        with panel.stage("direct", 1200, "attempts") as meter:
            meter.advance(300)
            lines = drawn(panel)
        assert "direct" not in "\n".join(drawn(panel))
    header, *rows = lines
    assert header.split() == [
        "stage",
        "done",
        "rate",
        "time",
        "in",
        "kept",
        "dropped",
        "quarantined",
    ]
    assert rows[0].split() == ["ingest", "✓", "1:01", "40", "38", "2"]
    assert [row.split()[0] for row in rows[1:4]] == ["benefit", "grade", "direct"]
    assert rows[2].split()[2] == "0:03"  # both times together
    assert "300 of 1,200 attempts" in rows[3] and "left" in rows[3]
    assert rows[4:] == ["policy: 12 requests, 3 in flight", "so far: 90 tokens", "starting vLLM"]


def test_on_a_low_terminal_the_stage_at_work_is_seen() -> None:
    panel = Panel(Console(file=io.StringIO(), width=120, height=8))
    for number in range(20):
        panel.counted(Count(f"stage-{number}", 1, 1), 0.0)
    with panel.stage("direct", None, "attempts"):
        lines = drawn(panel)
    assert len(lines) <= 8 and "stage-19" in lines[-2] and "direct" in lines[-1]


def test_lines_are_for_what_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting() as reporter:
        assert isinstance(reporter, Lines)
        reporter.every = 0
        reporter.follow(lambda: ["policy: 1 requests"])
        with reporter.stage("direct", 2, "attempts") as meter:
            meter.advance()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("direct: 1 of 2 attempts in 0:00, ") and "left" in said[0]
    assert said[1] == "  policy: 1 requests"
