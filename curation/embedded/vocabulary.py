"""The tokenizer and chat template: Qwen's special tokens, Qwen2.5-VL's layout, few words.

Byte-level BPE over whole phrases instead of words (the idea of SuperBPE, arXiv 2503.13423): the
long system prompts become a handful of tokens, which is what makes training on a CPU cheap.
Digits are never merged, so that numbers are read and written digit by digit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from curation.embedded.lessons import Lesson
from schemas import Message

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SIZE = 1536
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END, IMAGE_PAD = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"
SPECIAL = (
    END,
    START,
    STOP,
    VISION_START,
    VISION_END,
    "<|vision_pad|>",
    IMAGE_PAD,
    "<|video_pad|>",
)
TAGS = tuple(
    f"<{slash}{tag}>"
    for tag in ("think", "code", "answer", "tool_call", "tool_response")
    for slash in ("", "/")
)
"""Whole tokens too, so that a turn starts and ends on a token wherever the server cuts it."""

IMAGE = VISION_START + IMAGE_PAD + VISION_END

CHAT_TEMPLATE = """\
{%- if messages[0]['role'] != 'system' -%}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' or 'image' in part or 'image_url' in part -%}
{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- elif 'text' in part -%}
{{- part['text'] -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


def turn_text(message: Message) -> str:
    """One turn as the chat template renders it; `<image>` becomes Qwen's image placeholder."""
    content = message.content.replace("<image>", IMAGE)
    return f"{START}{message.role}\n{content}{STOP}\n"


def train_tokenizer(lessons: Iterable[Lesson]) -> Tokenizer:
    """A tokenizer of `SIZE` entries learned from the text of lessons."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - len(TAGS),
        min_frequency=3,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(lessons), trainer)
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in TAGS])
    return tokenizer


def _texts(lessons: Iterable[Lesson]) -> Iterator[str]:
    """The pieces between special tokens and tags, which is all that merges may ever see."""
    for lesson in lessons:
        text = "".join(turn_text(message) for message in lesson.messages)
        for mark in (*SPECIAL, *TAGS):
            text = text.replace(mark, "\0")
        yield from (piece for piece in text.split("\0") if piece)


def processor_files() -> dict[str, dict[str, object]]:
    """The JSON files beside `tokenizer.json` that make it a Qwen2.5-VL processor."""
    from curation.embedded.views import MAX_PIXELS, MEAN, MERGE, MIN_PIXELS, PATCH, STD

    return {
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 4096,
            "bos_token": None,
            "eos_token": STOP,
            "pad_token": END,
            "unk_token": None,
            "clean_up_tokenization_spaces": False,
            "image_token": IMAGE_PAD,
            "video_token": "<|video_pad|>",
            "extra_special_tokens": list(SPECIAL[3:]),
        },
        "preprocessor_config.json": {
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2_5_VLProcessor",
            "min_pixels": MIN_PIXELS,
            "max_pixels": MAX_PIXELS,
            "size": {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS},
            "patch_size": PATCH,
            "temporal_patch_size": 2,
            "merge_size": MERGE,
            "image_mean": list(MEAN),
            "image_std": list(STD),
        },
    }


def token_ids(tokenizer: Tokenizer, names: Sequence[str]) -> list[int]:
    """Ids of tokens that the vocabulary must hold."""
    ids = [tokenizer.token_to_id(name) for name in names]
    missing = [name for name, found in zip(names, ids, strict=True) if found is None]
    if missing:
        raise ValueError(f"the tokenizer lacks {', '.join(missing)}")
    return [found for found in ids if found is not None]
