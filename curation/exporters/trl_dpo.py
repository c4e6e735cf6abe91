"""TRL 1: preference rows for `DPOTrainer`, conversational with images.

TRL takes images from the prompt alone, so that pairs are exported whose sides are one reply.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from curation.exporters.base import IMAGES, ExportRow, Launch, pictures
from curation.exporters.dpo import DPO, ONE_REPLY, ONE_REPLY_NOTE, pair_of
from curation.exporters.launch import SFT_TOKENS
from curation.exporters.trl import DECODING_NOTE, MESSAGES, parted, training_script

NAME = "trl-dpo"
KIND = "dpo"
DIALECT = None
TOOLS: tuple[str, ...] = ()
FILES = False
MAX_TOKENS = SFT_TOKENS
SCHEMA = pa.schema(
    [("prompt", MESSAGES), ("chosen", MESSAGES), ("rejected", MESSAGES), ("images", IMAGES)]
)
RULES = (ONE_REPLY, *DPO)
NOTES = (
    "Needs TRL 1: its earlier `DPOTrainer` cannot take Qwen2.5-VL (huggingface/trl, issue 2660).",
    "`max_length` is 1024 unless told and cuts image tokens away: `train.py` sets it to None.",
    ONE_REPLY_NOTE,
    DECODING_NOTE,
)


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One pair; columns as SCHEMA. Its id is told by the provenance."""
    pair, images = pair_of(example)
    sides = {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}
    return {
        **{name: parted(messages) for name, messages in sides.items()},
        "images": pictures(images.prompt),
    }


def files(launch: Launch) -> dict[str, str]:
    """The training script."""
    return training_script("trl_dpo_train.py.txt", launch)
