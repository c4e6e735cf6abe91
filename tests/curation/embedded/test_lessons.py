"""What the model is taught parses, runs and says what it should."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from curation.dialects import Answer, Call, Code, get_dialect
from curation.embedded import lessons
from curation.embedded.views import MAX_PIXELS, MIN_PIXELS, TOKEN_SIDE, view
from curation.embedded.vocabulary import processor_files
from curation.sources.charts import draw_chart
from curation.sources.documents import draw_document
from curation.sources.drawn import Page
from schemas import Box


def pages() -> list[Page]:
    return [
        draw(random.Random(seed), "train")
        for seed in range(4)
        for draw in (draw_chart, draw_document)
    ]


def asked(skill: str):
    return [(page, q) for page in pages() for q in page.questions if q.skill == skill]


@pytest.mark.parametrize(("dialect", "action"), [("deepeyes", Call), ("deepeyes-v2", Code)])
def test_a_closer_look_is_grammatical_and_ends_with_the_answer(dialect, action) -> None:
    for page, question in asked("read"):
        lesson = lessons.look_closer(page, question, dialect)
        first, last = [m.content for m in lesson.messages if m.role == "assistant"]
        assert isinstance(get_dialect(dialect).parse(first), action)
        assert get_dialect(dialect).parse(last) == Answer(question.answer)
        placeholders = sum(message.content.count("<image>") for message in lesson.messages)
        assert placeholders == len(lesson.images) == 2


def test_the_taught_region_holds_the_evidence() -> None:
    for page, question in asked("read"):
        box = question.evidence[0]
        left, top, right, bottom = lessons.region(box, page.image.size)
        assert left >= 0
        assert top >= 0
        assert (right - left, bottom - top) == (lessons.CROP_WIDTH, lessons.CROP_HEIGHT)
        middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
        assert left <= middle[0] <= right and top <= middle[1] <= bottom


def test_taught_arithmetic_gives_the_answer_when_python_runs_it(capsys) -> None:
    for page, question in asked("arithmetic"):
        lesson = lessons.compute(page, question)
        codes = [
            get_dialect("deepeyes-v2").parse(m.content)
            for m in lesson.messages
            if m.role == "assistant"
        ][:-1]
        exec(codes[-1].code)
        assert capsys.readouterr().out.strip() == question.answer
        assert len(lesson.images) == 1 + len(question.operands)


def test_a_loose_crop_always_contains_its_box() -> None:
    page, question = asked("read")[0]
    box = question.evidence[0]
    rng = random.Random(0)
    for _ in range(50):
        crop = lessons.loose_crop(rng, page.image, box, lessons.REGION)
        assert crop.width >= box.right - box.left - 1
        assert crop.height >= box.bottom - box.top - 1


def test_views_have_24_to_40_tokens_whatever_the_size() -> None:
    for size in ((64, 64), (640, 480), (827, 1169), (240, 120), (56, 40)):
        seen = view(Image.new("RGB", size, "white"))
        assert MIN_PIXELS <= seen.tokens * TOKEN_SIDE**2 <= MAX_PIXELS
        assert seen.patches.shape == (seen.tokens * 4, 588)
        assert np.isfinite(seen.patches).all()


def test_a_view_is_what_the_checkpoints_image_processor_makes() -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    names = ("image_processor_type", "processor_class")
    config = processor_files()["preprocessor_config.json"]
    processor = Qwen2VLImageProcessorPil(**{k: v for k, v in config.items() if k not in names})
    for size in ((640, 480), (240, 120), (56, 40)):
        image = Image.effect_noise(size, 80).convert("RGB")
        made = processor(images=[image], return_tensors="np")
        frames = np.asarray(made["pixel_values"]).reshape(-1, 3, 2, 14, 14)
        seen = view(image)
        assert made["image_grid_thw"].tolist() == [[1, 2 * seen.rows, 2 * seen.columns]]
        # The difference is float16, in which batches are kept.
        assert np.allclose(frames[:, :, 0].reshape(-1, 588), seen.patches, atol=2e-3)


def test_a_corner_region_stays_on_the_page() -> None:
    assert lessons.region(Box(0, 600, 450, 640, 480), (640, 480)) == (400, 360, 640, 480)
    assert lessons.region(Box(0, 0, 0, 20, 20), (640, 480)) == (0, 0, 240, 120)
