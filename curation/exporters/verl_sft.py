"""verl 0.9.1: SFT rows for `MultiTurnSFTDataset`, which trains every assistant turn."""

from __future__ import annotations

from typing import Any

from curation.exporters.base import ExportRow, Launch
from curation.exporters.common_rules import COMMON, IMAGES_PRESENT
from curation.exporters.launch import SFT_TOKENS, file_list, launch_script
from curation.exporters.sft import SFT_SCHEMA, sft_row
from curation.exporters.sft_rules import SFT

NAME = "verl-sft"
KIND = "sft"
DIALECT = None
TOOLS: tuple[str, ...] = ()
FILES = False
MAX_TOKENS = SFT_TOKENS
SCHEMA = SFT_SCHEMA
RULES = (IMAGES_PRESENT, *COMMON, *SFT)
NOTES = (
    "There is no `tools` column: the system message describes the tools, and calls and"
    " observations are text, so that no chat template can drop them.",
    "Every turn of the assistant is trained: rows with a turn that is to be left out of the loss"
    ' (`error_turns = "mask"`) are not here.',
    "With `truncation=error` an over-long row stops the trainer instead of losing its end.",
)

_COMMAND = 'torchrun --standalone --nproc_per_node="${GPUS:-8}" -m verl.trainer.sft_trainer'


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One trajectory; columns as SCHEMA. Its id is told by the provenance."""
    return sft_row(example)


def files(launch: Launch) -> dict[str, str]:
    """The launch with the keys on which these rows rely."""
    keys = [
        f'"data.train_files={file_list(launch.train)}"',
        *([f'"data.val_files={file_list(launch.val)}"'] if launch.val else []),
        "data.messages_key=messages",
        f"data.max_length={launch.max_tokens}",
        "data.truncation=error",
    ]
    return {"train.sh": launch_script(_COMMAND, keys, model="model.path")}
