"""Samples, trajectories and images as the stages hand them to an export."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image as Pillow

from curation.dialects import get_dialect
from curation.dialects.base import Observed
from curation.estimates.benefit import benefit_of
from curation.exporters import ExportRow, get_target
from schemas import Message, Pair, Sample, Trajectory
from tests.curation.counted import tallies_row

MakeImage = Callable[..., bytes]
MakeRow = Callable[..., ExportRow]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def encode(width: int = 64, height: int = 64, *, seed: int = 0, form: str = "PNG") -> bytes:
    """A picture that no other seed has."""
    buffer = io.BytesIO()
    Pillow.new("RGB", (width, height), (seed % 256, seed // 256, 77)).save(
        buffer, format=form, **({"lossless": True} if form == "WEBP" else {})
    )
    return buffer.getvalue()


def sample_of(images: list[bytes], number: int, changes: dict[str, Any]) -> Sample:
    values: dict[str, Any] = {
        "sample_id": digest(f"sample {number}".encode()),
        "source": "charts",
        "origin_id": f"chart-{number}",
        "question": f"How many bars are taller than {number}?",
        "answers": (str(number), f"{number}.0"),
        "answer_kind": "number",
        "choices": (),
        "image_ids": tuple(digest(image) for image in images),
        "evidence": (),
        "category": "chart",
        "license": "MIT",
        "origin": "easy-vqa 1.0",
        "metadata": "{}",
    }
    return Sample(**(values | changes))


def trajectory_of(sample: Sample, crop: bytes) -> Trajectory:
    """One look at a crop, then the answer, in the dialect of DeepEyesV2."""
    dialect = get_dialect("deepeyes-v2")
    messages = (
        *dialect.opening(sample.question, len(sample.image_ids)),
        Message(
            "assistant",
            "<think>I look closer.</think>\n<code>\n```python\nplt.show()\n```\n</code>",
        ),
        Message("user", dialect.observation(Observed(stdout="", images=1))),
        Message("assistant", f"<think>I see it.</think>\n<answer>{sample.answers[0]}</answer>"),
    )
    return Trajectory(
        trajectory_id=digest(f"trajectory of {sample.sample_id}".encode()),
        sample_id=sample.sample_id,
        rollout_id=digest(f"rollout of {sample.sample_id}".encode()),
        dialect="deepeyes-v2",
        messages=messages,
        image_ids=(*sample.image_ids, digest(crop)),
        tool_calls=1,
        completion_tokens=40,
    )


def pair_of(sample: Sample, trajectory: Trajectory) -> Pair:
    """The trajectory against another answer after the same look."""
    *prompt, answer = trajectory.messages
    wrong = Message("assistant", "<think>I guess.</think>\n<answer>999</answer>")
    return Pair(
        pair_id=digest(f"pair of {sample.sample_id}".encode()),
        sample_id=sample.sample_id,
        dialect=trajectory.dialect,
        chosen_rollout=trajectory.rollout_id,
        rejected_rollout=digest(f"another of {sample.sample_id}".encode()),
        prompt=tuple(prompt),
        chosen=(answer,),
        rejected=(wrong,),
        prompt_images=trajectory.image_ids,
        chosen_images=(),
        rejected_images=(),
        rejected_by=("correct",),
        fault_turn=None,
        step=True,
    )


@pytest.fixture
def make_image() -> MakeImage:
    return encode


@pytest.fixture
def make_row() -> MakeRow:
    """`make_row(target, number, images=..., **sample fields)`: a row that breaks no rule."""

    def make(
        target: str, number: int = 1, *, images: list[bytes] | None = None, **changes: Any
    ) -> ExportRow:
        images = images if images is not None else [encode(seed=number)]
        sample = sample_of(images, number, changes)
        counts = {"direct": (2, 6, 0), "tools": (6, 1, 1)}
        benefit = benefit_of(tallies_row(sample.sample_id, counts))
        if get_target(target).KIND == "rl":
            return ExportRow(sample, images, "deepeyes-v2", benefit=benefit)
        crop = encode(32, 40, seed=number, form="WEBP")
        trajectory = trajectory_of(sample, crop)
        row = ExportRow(sample, [*images, crop], "deepeyes-v2", benefit=benefit)
        if get_target(target).KIND == "dpo":
            return replace(row, pair=pair_of(sample, trajectory))
        return replace(row, trajectory=trajectory)

    return make
