"""TRL: SFT rows for `SFTTrainer`, conversational with images.

Contents are lists of parts: TRL moves the images of plain-text messages to the first user turn,
while a trajectory shows crops in later turns.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.dialects.base import IMAGE
from curation.exporters.base import IMAGES, ExportRow, Launch
from curation.exporters.common_rules import COMMON
from curation.exporters.launch import SFT_TOKENS
from curation.exporters.sft import sft_row
from curation.exporters.sft_rules import SFT

NAME = "trl"
KIND = "sft"
DIALECT = None
TOOLS: tuple[str, ...] = ()
FILES = False
MAX_TOKENS = SFT_TOKENS

_PART = pa.struct([("type", pa.string()), ("text", pa.string())])
SCHEMA = pa.schema(
    [
        (
            "messages",
            pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(_PART))])),
        ),
        ("images", IMAGES),
    ]
)
"""The text of an image part is empty, not null: templates ask whether the key is there."""

RULES = (*COMMON, *SFT)
NOTES = (
    "TRL trains on every token of a row with images, also on prompts and observations; the other"
    " SFT targets train on the assistant's turns alone.",
    "`max_length` must stay None: cutting a row would part its image tokens from its images.",
    "Images are decoded by the `Image` feature of `datasets`, as `train.py` casts them.",
)

_TEMPLATE = Path(__file__).parent / "templates" / "trl_train.py.txt"


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One trajectory; columns as SCHEMA. Its id is told by the provenance."""
    columns = sft_row(example)
    messages = [
        {"role": message["role"], "content": split_parts(message["content"])}
        for message in columns["messages"]
    ]
    return columns | {"messages": messages}


def split_parts(content: str) -> list[dict[str, str]]:
    """A text as parts, one for each placeholder and for each text between them."""
    parts: list[dict[str, str]] = []
    for number, text in enumerate(content.split(IMAGE)):
        parts += [{"type": "image", "text": ""}] if number else []
        parts += [{"type": "text", "text": text}] if text else []
    return parts


def files(launch: Launch) -> dict[str, str]:
    """The training script."""
    shards = {"train": list(launch.train)} | ({"val": list(launch.val)} if launch.val else {})
    text = _TEMPLATE.read_text(encoding="utf-8")
    return {"train.py": text.replace("{shards}", json.dumps(shards, indent=4))}
