"""Conversations out of the files that SFT trainers read: LLaMA-Factory's sharegpt form as JSON,
JSON Lines or Parquet, and verl's SFT Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import SourceError
from curation.sources.base import BadRow
from curation.sources.faults import RowFault
from curation.sources.image_values import image_bytes
from curation.sources.json_files import json_rows
from schemas import Message

_BATCH_ROWS = 16
"""Rows in memory at once, each with all its images."""
_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "tool": "user",
    "observation": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "function_call": "assistant",
}
"""What a role is called here; observations are user turns."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row, read but not judged."""

    position: str
    """File name and row number from 0."""
    messages: tuple[Message, ...]
    images: tuple[bytes, ...]
    """Encoded, in the order of their placeholders."""
    image_fault: str | None
    """Why images are missing; null when all were found."""


def read_conversations(file: Path, images: Path | None = None) -> Iterator[Conversation | BadRow]:
    """The rows of a file; `images` is where its image paths begin, by default its own folder.

    Raises:
        SourceError: the file cannot be opened, or it holds no conversations.
    """
    rows = _parquet(file) if file.suffix in (".parquet", ".pq") else json_rows(file, file.name)
    root, sound = images or file.parent, False
    if not root.is_dir():
        raise SourceError(f"there is no folder {root}: correct --images")
    for row in rows:
        conversation = row if isinstance(row, BadRow) else _conversation(row[0], row[1], root)
        sound = sound or isinstance(conversation, Conversation)
        yield conversation
    if not sound:
        raise SourceError(
            f"{file} holds no conversations: rows of LLaMA-Factory (sharegpt) or verl have"
            " `messages` or `conversations`"
        )


def _parquet(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with pq.ParquetFile(file) as parquet:
            rows = (row for batch in parquet.iter_batches(_BATCH_ROWS) for row in batch.to_pylist())
            for number, row in enumerate(rows):
                yield f"{file.name}#{number}", row
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{file} cannot be read as Parquet ({error}); check the file") from None


def _conversation(position: str, row: Mapping[str, Any], root: Path) -> Conversation | BadRow:
    try:
        messages = _messages(row.get("messages") or row.get("conversations"))
    except RowFault as fault:
        return BadRow(position, fault.error, f"{position}: {fault.message}")
    images, image_fault = _images(row.get("images"), root)
    return Conversation(position, messages, images, image_fault)


def _messages(turns: object) -> tuple[Message, ...]:
    """RowFault where a row is no conversation."""
    if not isinstance(turns, Sequence) or isinstance(turns, str) or not turns:
        raise RowFault("no_messages", "the row has neither `messages` nor `conversations`")
    return tuple(_message(turn) for turn in turns)


def _message(turn: object) -> Message:
    if not isinstance(turn, Mapping):
        raise RowFault("bad_message", f"a message is {type(turn).__name__}, not an object")
    role = turn.get("role") or turn.get("from")
    content = turn["content"] if "content" in turn else turn.get("value")
    if role not in _ROLES:
        raise RowFault("bad_role", f"a message has the role {role!r}")
    if not isinstance(content, str):
        raise RowFault("bad_content", f"a message's content is {type(content).__name__}, not text")
    return Message(_ROLES[role], content)


def _images(value: object, root: Path) -> tuple[tuple[bytes, ...], str | None]:
    """What can be found of a row's images, and the first fault."""
    found: list[bytes] = []
    fault = None
    for item in value if isinstance(value, list | tuple) else [value] if value else []:
        try:
            found += image_bytes(item, root)
        except RowFault as missing:
            fault = fault or f"{missing.message.partition(';')[0]}; see --images"
    return tuple(found), fault
