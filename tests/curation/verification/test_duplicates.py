"""Near duplicates: the same question about the same pictures, the same places, the same words."""

from __future__ import annotations

import pytest

from curation.dialects import get_dialect
from curation.verification import Case, Gallery
from curation.verification.duplicates import Kept
from schemas import Rollout, ToolCall, Turn
from tests.curation.scene import picture

QUESTION = "What is the value of the green bar?"
THOUGHT = "I look closer at the bar that the question asks about, since it is small in this view."
BOX = (100, 100, 220, 160)


def case(
    question: str = QUESTION, box: tuple[int, ...] = BOX, thought: str = THOUGHT, name: str = "one"
) -> Case:
    code = f"crop = image_1.crop({box})\nplt.imshow(crop)\nplt.show()"
    turns = (
        Turn(
            f"<think>{thought}</think>\n<code>\n```python\n{code}\n```\n</code>",
            ToolCall("python", code, "Images:\n<image>", "", "", ("crop",), None, 0.0),
            "stop",
            0,
            0,
        ),
        Turn("<think>Now it can be read.</think>\n<answer>46</answer>", None, "stop", 0, 0),
    )
    rollout = Rollout(
        rollout_id=name,
        sample_id="s",
        arm="teacher",
        attempt=0,
        model="m",
        dialect="deepeyes-v2",
        seed=0,
        turns=turns,
        prediction="46",
        stop_reason="answered",
        error=None,
        seconds=0.0,
    )
    gallery = Gallery(lambda image_id: picture(1, 400))
    return Case(rollout, get_dialect("deepeyes-v2"), question, ("46",), ("page",), gallery)


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (case(), True),
        (case(box=(110, 100, 230, 160)), True),
        (case(box=(100, 300, 220, 360)), False),
        (case(question="What is the highest value in the chart?"), False),
        (case(thought="The bar stands left of the red one. It has a label, which I read."), False),
    ],
)
def test_wording_alone_makes_no_duplicate(other: Case, alike: bool) -> None:
    kept = Kept()
    assert kept.near_duplicate(case()).passed
    finding = kept.near_duplicate(other)
    assert finding.passed is not alike
    assert ("like rollout one" in finding.evidence) is alike
