"""What the SFT targets share: a verified conversation and its images."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from curation.exporters.base import CHAT, IMAGES, ExportRow, chat, pictures

SFT_SCHEMA = pa.schema([("messages", CHAT), ("images", IMAGES)])
"""No `tools` and no `tool_calls`: a template that ignores them drops those tokens silently."""


def sft_row(example: ExportRow) -> dict[str, Any]:
    """The trajectory as it was verified: tool text and observations are plain turns."""
    messages = example.trajectory.messages if example.trajectory else ()
    return {"messages": chat(messages), "images": pictures(example.images)}
