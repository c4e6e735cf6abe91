"""LLaMA-Factory 0.9.5: preference rows (`ranking`) in its sharegpt form, in Parquet.

It takes one reply a side and images from the prompt alone.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from curation.exporters.base import CHAT, IMAGES, ExportRow, Launch, chat, pictures
from curation.exporters.dpo import DPO, ONE_REPLY, ONE_REPLY_NOTE, one_message, pair_of
from curation.exporters.launch import SFT_TOKENS
from curation.exporters.llamafactory import CUTOFF_NOTE, registration, training_config

NAME = "llamafactory-dpo"
KIND = "dpo"
DIALECT = None
TOOLS: tuple[str, ...] = ()
FILES = True
MAX_TOKENS = SFT_TOKENS
SCHEMA = pa.schema(
    [
        ("messages", CHAT),
        ("chosen", CHAT.value_type),
        ("rejected", CHAT.value_type),
        ("images", IMAGES),
    ]
)
RULES = (ONE_REPLY, *DPO)
NOTES = (
    "Every shard is a data set of its own in `dataset_info.json`, with `ranking`, since a folder"
    " may hold nothing but shards there; `train.yaml` names them all.",
    ONE_REPLY_NOTE,
    CUTOFF_NOTE,
)


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One pair; columns as SCHEMA. Its id is told by the provenance."""
    pair, images = pair_of(example)
    return {
        "messages": chat(pair.prompt),
        "chosen": one_message(pair.chosen),
        "rejected": one_message(pair.rejected),
        "images": pictures(images.prompt),
    }


def files(launch: Launch) -> dict[str, str]:
    """The registration of the shards and a training configuration."""
    columns = {name: name for name in SCHEMA.names}
    settings = {"stage": "dpo", "pref_loss": "sigmoid", "pref_beta": 0.1}
    return {
        "dataset_info.json": registration(launch, columns, ranking=True),
        "train.yaml": training_config(launch, settings),
    }
