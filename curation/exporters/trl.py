"""TRL: SFT rows for `SFTTrainer`, conversational with images.

Contents are lists of parts: TRL moves the images of plain-text messages to the first user turn,
while a trajectory shows crops in later turns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.dialects.base import IMAGE
from curation.exporters.base import IMAGES, ExportRow, Launch, pictures
from curation.exporters.common_rules import COMMON, IMAGES_PRESENT
from curation.exporters.launch import SFT_TOKENS
from curation.exporters.sft_rules import SFT
from schemas import Message

NAME = "trl"
KIND = "sft"
DIALECT = None
TOOLS: tuple[str, ...] = ()
FILES = False
MAX_TOKENS = SFT_TOKENS

_PART = pa.struct([("type", pa.string()), ("text", pa.string())])
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(_PART))]))
"""The text of an image part is empty, not null: templates ask whether the key is there."""
SCHEMA = pa.schema([("messages", MESSAGES), ("images", IMAGES)])

RULES = (IMAGES_PRESENT, *COMMON, *SFT)
DECODING_NOTE = "Images are decoded by the `Image` feature of `datasets`, as `train.py` casts them."
NOTES = (
    "TRL trains on every token of a row with images, also on prompts and observations; the other"
    " SFT targets train on the assistant's turns alone. Rows with a turn that is to be left out of"
    ' the loss (`error_turns = "mask"`) are not here.',
    "`max_length` must stay None: cutting a row would part its image tokens from its images.",
    DECODING_NOTE,
)

_TEMPLATES = Path(__file__).parent / "templates"


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One trajectory; columns as SCHEMA. Its id is told by the provenance."""
    messages = example.trajectory.messages if example.trajectory else ()
    return {"messages": parted(messages), "images": pictures(example.images)}


def parted(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as a MESSAGES value."""
    return [{"role": each.role, "content": split_parts(each.content)} for each in messages]


def split_parts(content: str) -> list[dict[str, str]]:
    """A text as parts, one for each placeholder and for each text between them."""
    parts: list[dict[str, str]] = []
    for number, text in enumerate(content.split(IMAGE)):
        parts += [{"type": "image", "text": ""}] if number else []
        parts += [{"type": "text", "text": text}] if text else []
    return parts


def files(launch: Launch) -> dict[str, str]:
    """The training script."""
    return training_script("trl_train.py.txt", launch)


def training_script(template: str, launch: Launch) -> dict[str, str]:
    """A script of `templates` that names the shards."""
    shards = {"train": list(launch.train)} | ({"val": list(launch.val)} if launch.val else {})
    text = (_TEMPLATES / template).read_text(encoding="utf-8")
    return {"train.py": text.replace("{shards}", json.dumps(shards, indent=4))}
