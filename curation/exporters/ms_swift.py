"""ms-swift 4: SFT rows in its standard form, images as bytes or as files beside the shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from curation.exporters.base import (
    IMAGES,
    MASKED_CHAT,
    ExportRow,
    Launch,
    masked_chat,
    pictures,
)
from curation.exporters.checks import Candidate, Rule
from curation.exporters.common_rules import COMMON
from curation.exporters.launch import SFT_TOKENS, shell_files, shell_script
from curation.exporters.sft_rules import SFT

NAME = "ms-swift"
KIND = "sft"
DIALECT = None
TOOLS: tuple[str, ...] = ()
FILES = True
MAX_TOKENS = SFT_TOKENS
SCHEMA = pa.schema([("messages", MASKED_CHAT), ("images", IMAGES)])
LOADING_NOTES = (
    "`--strict true` stops at a row that cannot be read; by default it is dropped with a log line.",
    "Rows longer than `--max_length` are deleted by default (`truncation_strategy`).",
)
NOTES = (
    'A turn whose `loss` is false is left out of the loss (`error_turns = "mask"`); where it is'
    " null, `--loss_scale` decides, which by default trains every turn of the assistant.",
    "Rows without an image, where there are any, are text-only solutions.",
    *LOADING_NOTES,
    "`MAX_PIXELS` is set to 16384 visual tokens of 28 x 28 pixels; a lower one shrinks what the"
    " model sees, while boxes and code keep the pixels of the original.",
)


def _loss(candidate: Candidate) -> str | None:
    """ms-swift reads the flag of replies alone, and does not ask whether one is left to train."""
    flags = [message.get("loss") for message in candidate.row["messages"]]
    if flags and flags[-1] is False:
        return "messages has a last turn that is left out of the loss: drop the row"
    replies = (message["role"] == "assistant" for message in candidate.row["messages"])
    if any(flag is not None and not reply for flag, reply in zip(flags, replies, strict=True)):
        return "messages has a flag `loss` on a turn of others than the assistant: make it null"
    return None


RULES = (*COMMON, *SFT, Rule("loss", _loss))


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One trajectory; columns as SCHEMA. Its id is told by the provenance."""
    messages = example.trajectory.messages if example.trajectory else ()
    return {
        "messages": masked_chat(messages, example.masked),
        "images": pictures(example.images),
    }


def files(launch: Launch) -> dict[str, str]:
    """The launch with the keys on which these rows rely."""
    return swift_files(launch, "sft", ())


def swift_files(launch: Launch, task: str, own: Sequence[str]) -> dict[str, str]:
    """A launch of `swift TASK`, with the keys that only this task has."""
    keys = [
        *own,
        f"--dataset {shell_files(launch.train)}",
        *([f"--val_dataset {shell_files(launch.val)}"] if launch.val else []),
        f"--max_length {launch.max_tokens}",
        "--strict true",
        "--freeze_vit true",
    ]
    command = f'MAX_PIXELS=12845056 ROOT_IMAGE_DIR="$here" swift {task}'
    return {"train.sh": shell_script(command, keys, example="--model ...")}
