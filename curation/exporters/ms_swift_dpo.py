"""ms-swift 4: preference rows, each side a whole conversation with its own images."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from curation.exporters.base import CHAT, IMAGES, ExportRow, Launch, chat, pictures
from curation.exporters.dpo import DPO, SAME_PROMPT, pair_of
from curation.exporters.launch import SFT_TOKENS
from curation.exporters.ms_swift import LOADING_NOTES, swift_files

NAME = "ms-swift-dpo"
KIND = "dpo"
DIALECT = None
TOOLS: tuple[str, ...] = ()
FILES = True
MAX_TOKENS = SFT_TOKENS
SCHEMA = pa.schema(
    [
        ("messages", CHAT),
        ("images", IMAGES),
        ("rejected_messages", CHAT),
        ("rejected_images", IMAGES),
    ]
)
RULES = (*DPO, SAME_PROMPT)
NOTES = (
    "`--loss_scale default` compares all replies of both sides; by default ms-swift compares the"
    " last ones alone. What both sides begin with cancels out in the loss.",
    *LOADING_NOTES,
)


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One pair; columns as SCHEMA. Its id is told by the provenance."""
    pair, images = pair_of(example)
    return {
        "messages": chat((*pair.prompt, *pair.chosen)),
        "images": pictures([*images.prompt, *images.chosen]),
        "rejected_messages": chat((*pair.prompt, *pair.rejected)),
        "rejected_images": pictures([*images.prompt, *images.rejected]),
    }


def files(launch: Launch) -> dict[str, str]:
    """The launch with the keys on which these rows rely."""
    return swift_files(launch, "rlhf", ("--rlhf_type dpo", "--loss_scale default"))
