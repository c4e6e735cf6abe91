"""LLaMA-Factory 0.9.5: SFT rows in its sharegpt form, in Parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from curation.exporters.base import ExportRow, Launch
from curation.exporters.common_rules import COMMON
from curation.exporters.launch import SFT_TOKENS
from curation.exporters.sft import SFT_SCHEMA, sft_row
from curation.exporters.sft_rules import SFT

NAME = "llamafactory"
KIND = "sft"
DIALECT = None
TOOLS: tuple[str, ...] = ()
FILES = True
MAX_TOKENS = SFT_TOKENS
SCHEMA = SFT_SCHEMA
RULES = (*COMMON, *SFT)
CUTOFF_NOTE = "Rows longer than `cutoff_len` are cut without a word: do not lower what is set here."
NOTES = (
    "Every shard is a data set of its own in `dataset_info.json`, since a folder may hold"
    " nothing but shards there; `train.yaml` names them all.",
    "Every turn of the assistant is trained: rows with a turn that is to be left out of the loss"
    ' (`error_turns = "mask"`) are not here;'
    " `mask_history` would train the last turn alone, of all rows.",
    "Rows without an image, where there are any, are text-only solutions.",
    "Data sets with images as bytes and as paths cannot be in one run.",
    CUTOFF_NOTE,
    "A lower `image_max_pixels` shrinks what the model sees, while boxes and code keep the pixels"
    " of the original.",
    "Templates for reasoning models (qwen3_vl) delete earlier thoughts unless told to preserve"
    " them; `qwen2_vl` keeps them.",
)

_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}

_YAML = """\
# From this folder:
#   llamafactory-cli train train.yaml model_name_or_path=... output_dir=...
{settings}
do_train: true
finetuning_type: full
freeze_vision_tower: true
freeze_multi_modal_projector: true
dataset_dir: .
dataset: {train}
{val}template: qwen2_vl
cutoff_len: {max_tokens}
# 16384 visual tokens of 28 x 28 pixels: the limit that the RL trainers have, too.
image_max_pixels: 12845056
"""


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One trajectory; columns as SCHEMA. Its id is told by the provenance."""
    return sft_row(example)


def files(launch: Launch) -> dict[str, str]:
    """The registration of the shards and a training configuration."""
    columns = {name: name for name in SCHEMA.names}
    return {
        "dataset_info.json": registration(launch, columns),
        "train.yaml": training_config(launch, {"stage": "sft"}),
    }


def registration(launch: Launch, columns: Mapping[str, str], **form: object) -> str:
    """`dataset_info.json`, every shard a data set of its own."""
    shared = {"formatting": "sharegpt", **form, "columns": dict(columns), "tags": _TAGS}
    shards = (*launch.train, *launch.val)
    return (
        json.dumps({_name(each): {"file_name": each} | shared for each in shards}, indent=2) + "\n"
    )


def training_config(launch: Launch, settings: Mapping[str, object]) -> str:
    """`train.yaml`; `settings` say what is trained."""
    return _YAML.format(
        settings="\n".join(f"{key}: {value}" for key, value in settings.items()),
        train=_names(launch.train),
        val=f"eval_dataset: {_names(launch.val)}\n" if launch.val else "",
        max_tokens=launch.max_tokens,
    )


def _name(shard: str) -> str:
    return f"toolsight-{PurePath(shard).stem}"


def _names(shards: Sequence[str]) -> str:
    return ",".join(_name(shard) for shard in shards)
