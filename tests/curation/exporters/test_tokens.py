"""Token counts: the published arithmetic, the estimate and a real tokenizer."""

from __future__ import annotations

import pytest

from curation.embedded import CHECKPOINT
from curation.exporters.checks import Picture
from curation.exporters.tokens import Estimate, Vision, token_count


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (28, 28, 4),  # enlarged to 56 x 56
        (56, 56, 4),
        (280, 140, 50),
        (294, 140, 50),  # 10.5 patches are rounded to even
        (1000, 700, 36 * 25),
        (4096, 4096, 128 * 128),  # shrunk to 3584 x 3584
    ],
)
def test_image_tokens_are_those_of_smart_resize(width: int, height: int, tokens: int) -> None:
    assert Vision().tokens(width, height) == tokens


def test_estimate_counts_digits_bytes_turns_and_images() -> None:
    chat = [{"role": "user", "content": "<image>abc 12"}]
    image = Picture(56, 56, "RGB", True)
    assert Estimate().count(chat, [image], rl=False) == 5 + 2 + 2 + (2 + 4)
    assert Estimate().count(chat, [image], rl=True) == 5 + 2 + 2 + (2 + 4) + 3


def test_processor_counts_with_its_own_template_and_limits() -> None:
    from transformers import AutoTokenizer

    processor = token_count(str(CHECKPOINT))
    chat = [{"role": "user", "content": "<image>\nHow many?"}]
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "\nHow many?"}]}],
        tokenize=False,
        add_generation_prompt=True,
    )
    plain = len(tokenizer(text, add_special_tokens=False)["input_ids"])
    image = Picture(1000, 1000, "RGB", True)  # scaled down to at most 31,360 pixels
    assert processor.count(chat, [image], rl=True) == plain - 1 + 36
