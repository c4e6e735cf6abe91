"""Conversations with `<image>` placeholders as OpenAI chat messages with content parts."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas import Message

PLACEHOLDER = "<image>"

ImagePart = Path | bytes
"""An encoded image: its bytes, or the file that holds them."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)


def media_type(data: bytes) -> str:
    """The media type that the first bytes of an encoded image announce."""
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise ValueError(f"bytes that start with {data[:8]!r} are no known image format")


def image_url(image: ImagePart, media_root: Path | None = None) -> str:
    """`file://` for a file under media_root, which the server may read; else a data: URL.

    The very bytes are sent: an image is never decoded and encoded again on its way to the model.
    """
    if isinstance(image, Path):
        if media_root is not None:
            path = image.resolve()
            if path.is_relative_to(media_root.resolve()):
                return path.as_uri()
        image = image.read_bytes()
    return f"data:{media_type(image)};base64,{base64.b64encode(image).decode('ascii')}"


def chat_messages(
    messages: Sequence[Message], images: Sequence[ImagePart], *, media_root: Path | None = None
) -> list[dict[str, Any]]:
    """The conversation in the form of the chat completions API, one image part a placeholder.

    Text around placeholders is kept to the character, because the template joins the parts as
    they are. Raises ValueError when placeholders and images do not match: that is a bug of the
    caller, as literal placeholders in a question are a matter of ingest.
    """
    wanted = sum(message.content.count(PLACEHOLDER) for message in messages)
    if wanted != len(images):
        raise ValueError(f"{wanted} {PLACEHOLDER} placeholders but {len(images)} images")
    urls = (image_url(image, media_root) for image in images)
    return [
        {"role": message.role, "content": _content(message.content, urls)} for message in messages
    ]


def _content(text: str, urls: Iterator[str]) -> str | list[dict[str, Any]]:
    """Plain text as it is, else parts: the text between placeholders and the next images."""
    if PLACEHOLDER not in text:
        return text
    parts: list[dict[str, Any]] = []
    for index, piece in enumerate(text.split(PLACEHOLDER)):
        if index:
            parts.append({"type": "image_url", "image_url": {"url": next(urls)}})
        if piece:
            parts.append({"type": "text", "text": piece})
    return parts
