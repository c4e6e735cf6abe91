"""What people see of data that nobody vouches for: escaped, fitted, and told when it is missing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from curation.errors import RunError
from curation.look import bars, boxed, histograms, outlined, rollouts, run_path, samples
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
    assert samples(run, ["s"]).count("<em>Image not shown: ") == 1
    assert rollouts(run, ["r"]).count("<em>Image not shown: ") == 2  # the sample's and the crop


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
    for figure in (
        bars([], title="t", unit="u"),
        histograms([], title="t", value="v", unit="u", low=0),
    ):
        assert "nothing to show" in figure.axes[0].texts[0].get_text()


def test_bars_stack_the_sources_and_tell_the_total() -> None:
    counts = [("kept", "a", 2), ("kept", "b", 3), ("dropped", "a", 1)]
    axes = bars(counts, title="t", unit="samples").axes[0]
    assert [text.get_text() for text in axes.texts] == ["5", "1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["kept", "dropped"]


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
