"""What people see of data that nobody vouches for: escaped, fitted, and told when it is missing."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from curation.errors import RunError
from curation.look import boxed, frame, outlined, rollouts, run_path, samples
from curation.look.charts import bars, histograms, intervals
from curation.look.pictures import TINY, thumbnail
from curation.runs import Run
from schemas import Box, Rollout, Sample, ToolCall, Turn, to_table
from tests.curation.scene import picture

HOSTILE = "<img src=x onerror=alert(1)>"


def test_an_image_is_fitted_and_its_box_is_outlined_from_outside() -> None:
    image = outlined(png(40, 20), [Box(0, 10, 5, 20, 15)], side=100)
    assert image.size == (80, 40)  # a whole factor
    inside, edge = image.getpixel((30, 20)), image.getpixel((18, 20))
    assert inside == (0, 0, 255) and edge == (208, 0, 111)
    assert outlined(png(400, 200), side=100).size == (100, 50)


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "blue").save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """One sample and one rollout, each full of markup, and no image on the disk."""
    made = Run(tmp_path / "run")
    made.table("samples").replace([to_table(Sample, [hostile_sample()])])
    made.table("rollouts").replace([to_table(Rollout, [hostile_rollout()])])
    made.prompts.mkdir()
    (made.prompts / f"{hostile_rollout().arm}-0.txt").write_text("[user]\n{question}")
    return made


def hostile_sample() -> Sample:
    return Sample(
        sample_id="s",
        source=HOSTILE,
        origin_id=HOSTILE,
        question=HOSTILE,
        answers=(HOSTILE, HOSTILE),
        answer_kind="text",
        choices=(HOSTILE,),
        image_ids=("0" * 64,),
        evidence=(),
        category=HOSTILE,
        license="CC0-1.0",
        origin="tests",
        metadata="{}",
    )


def hostile_rollout() -> Rollout:
    call = ToolCall(HOSTILE, HOSTILE, f"{HOSTILE}<image>", "", "", ("1" * 64,), HOSTILE, 0.1)
    turns = (Turn(HOSTILE, call, "stop", 1, 1), Turn(HOSTILE, None, "stop", 1, 1))
    return Rollout(
        rollout_id="r",
        sample_id="s",
        arm="teacher",
        attempt=0,
        model="scripted",
        dialect="deepeyes-v2",
        seed=1,
        turns=turns,
        prediction=HOSTILE,
        stop_reason="answered",
        error=None,
        seconds=0.1,
    )


def test_markup_in_data_and_replies_is_text(run: Run) -> None:
    for shown in (samples(run, ["s"]), rollouts(run, ["r"])):
        assert "<img" not in shown
        assert "&lt;img src=x" in shown


def test_a_missing_image_is_a_sentence_at_its_place(run: Run) -> None:
    assert samples(run, ["s"]).count("Image not shown: ") == 1
    assert rollouts(run, ["r"]).count("Image not shown: ") == 2  # the sample's and the crop


def test_several_cards_share_one_page(run: Run) -> None:
    shown = samples(run, ["s", "s"])
    assert shown.count("<article") == 2 and shown.count("<style>") == 1


def test_what_the_run_does_not_hold_is_told(run: Run) -> None:
    with pytest.raises(RunError, match="no sample 'other'"):
        boxed(run, "other")
    with pytest.raises(RunError, match="no rollout 'other'"):
        rollouts(run, ["other"])
    assert "Nothing to show" in samples(run, [])


def test_charts_of_nothing_say_so() -> None:
    for chart in (
        bars([], title="t", unit="u"),
        histograms([], title="t", value="v", unit="u", step=1, ticks={0: "0"}),
        intervals([], title="t", value="v"),
    ):
        assert "Nothing to show" in chart and "<svg" not in chart


def test_bars_stack_the_series_and_tell_the_total() -> None:
    counts = [("kept", "a", 2), ("kept", "b", 3), ("dropped", "a", 1)]
    chart = bars(counts, title="t", unit="samples")
    assert re.findall(r'class="total">(.*?)<', chart) == ["5", "1"]
    assert re.findall(r'<text x="0" y="\d+">(.*?)<', chart) == ["kept", "dropped"]
    # The longest bar is as wide as the chart: 2 and 3 of 5, and 1 of 5.
    assert re.findall(r'<rect class="(s\d)" x="(.*?)%" y=".*?" width="(.*?)%"', chart) == [
        ("s0", "0.00", "40.00"),
        ("s1", "40.00", "60.00"),
        ("s0", "0.00", "20.00"),
    ]
    assert "<tr><td>kept</td><td>2</td><td>3</td></tr>" in chart


def test_a_histogram_has_a_panel_a_name_and_its_tallest_bar_fills_it() -> None:
    counts = [("direct", 0.0, "a", 4), ("direct", 1.0, "a", 2), ("tools", 0.5, "a", 1)]
    chart = histograms(
        counts, title="t", value="v", unit="samples", step=0.5, ticks={0: "0", 1: "1"}
    )
    assert re.findall(r'<p class="panel">(\w+) <small>(\d+)', chart) == [
        ("direct", "6"),
        ("tools", "1"),
    ]
    assert re.findall(r'<rect .*? height="(.*?)"', chart) == ["96.0", "48.0", "96.0"]


def test_an_interval_that_leaves_out_zero_stands_out() -> None:
    rows = [("a", -0.5, 0.0, 0.5), ("a", 0.1, 0.5, 0.9), ("a", -0.9, -0.5, -0.1)]
    chart = intervals(rows, title="t", value="benefit")
    assert re.findall(r'<circle class="(\w+)"', chart) == ["harms", "open", "helps"]


def test_markup_in_names_of_sources_and_tools_is_text() -> None:
    for chart in (
        bars([(HOSTILE, HOSTILE, 1)], title=HOSTILE, unit=HOSTILE),
        histograms(
            [(HOSTILE, 0, HOSTILE, 1)],
            title=HOSTILE,
            value=HOSTILE,
            unit=HOSTILE,
            step=1,
            ticks={0: HOSTILE},
        ),
        intervals([(HOSTILE, 0, 0, 0)], title=HOSTILE, value=HOSTILE),
    ):
        assert "<img" not in frame(chart)


def test_a_thumbnail_is_bounded_and_a_tiny_image_keeps_its_pixels() -> None:
    large = thumbnail(png(2000, 1000), side=480)
    assert (large.width, large.height, large.tiny) == (2000, 1000, False)
    assert Image.open(io.BytesIO(large.webp)).size == (480, 240)
    small = thumbnail(picture(1, side=TINY), side=480)
    assert small.tiny
    original = Image.open(io.BytesIO(picture(1, side=TINY))).convert("RGB")
    assert Image.open(io.BytesIO(small.webp)).convert("RGB").tobytes() == original.tobytes()


def test_the_run_is_found_from_a_folder_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "notebooks"
    below.mkdir()
    monkeypatch.chdir(below)
    monkeypatch.setenv("TOOLSIGHT_RUN", "runs/mine")
    with pytest.raises(RunError, match="no run in runs/mine"):
        run_path()
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    assert run_path() == tmp_path / "runs" / "mine"


def test_a_small_picture_of_the_scene_keeps_its_pixels() -> None:
    shown = outlined(picture(1, side=16), side=64)
    original = Image.open(io.BytesIO(picture(1, side=16))).convert("RGB")
    assert shown.resize((16, 16), Image.Resampling.NEAREST).tobytes() == original.tobytes()
