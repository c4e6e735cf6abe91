"""How long a row is for the trainer: text and image tokens.

Image tokens follow the published arithmetic of Qwen2-VL and Qwen2.5-VL (`smart_resize` of
qwen-vl-utils and transformers): sides are rounded to multiples of a merged patch and scaled into
the pixel limits, and every merged patch is a token.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from curation.dialects.base import IMAGE
from curation.errors import ExportError
from curation.exporters.checks import Candidate, Picture, Rule

_DIGIT = re.compile(r"\d")
_TURN = 5
"""Tokens that the chat template sets around a message."""
_GENERATION = 3
"""Tokens that invite the assistant's turn, at the end of an RL prompt."""


@dataclass(frozen=True, slots=True)
class Vision:
    """Numbers of an image processor; the defaults are those of qwen-vl-utils."""

    patch: int = 14
    merge: int = 2
    min_pixels: int = 4 * 28 * 28
    max_pixels: int = 16384 * 28 * 28

    def tokens(self, width: int, height: int) -> int:
        """Tokens of an image after `smart_resize`, without the two that frame it."""
        side = self.patch * self.merge
        high, wide = max(side, _nearest(height, side)), max(side, _nearest(width, side))
        if high * wide > self.max_pixels:
            scale = math.sqrt(height * width / self.max_pixels)
            high = max(side, math.floor(height / scale / side) * side)
            wide = max(side, math.floor(width / scale / side) * side)
        elif high * wide < self.min_pixels:
            scale = math.sqrt(self.min_pixels / (height * width))
            high = math.ceil(height * scale / side) * side
            wide = math.ceil(width * scale / side) * side
        return high // side * (wide // side)


def _nearest(length: int, side: int) -> int:
    return round(length / side) * side


class TokenCount(Protocol):
    """Counts the tokens of a conversation."""

    @property
    def how(self) -> str:
        """Half a sentence for the card and for complaints."""
        ...

    def count(self, chat: Sequence[dict[str, str]], pictures: Sequence[Picture], rl: bool) -> int:
        """Tokens of the conversation; of an RL prompt with the invitation to answer."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counts without a tokenizer: a token a digit, and one for every three bytes of other text.

    English and code take about four bytes a token of Qwen's, Chinese about four and a half.
    """

    vision: Vision = Vision()
    how: str = "text estimated at a token a digit and one for three bytes of other text"

    def count(self, chat: Sequence[dict[str, str]], pictures: Sequence[Picture], rl: bool) -> int:
        text = sum(_TURN + _text_tokens(message["content"]) for message in chat)
        images = sum(2 + self.vision.tokens(p.width, p.height) for p in pictures)
        return text + images + (_GENERATION if rl else 0)


def _text_tokens(text: str) -> int:
    digits = len(_DIGIT.findall(text))
    return digits + math.ceil((len(text.replace(IMAGE, "").encode(errors="replace")) - digits) / 3)


@dataclass(frozen=True, slots=True)
class Processor:
    """Counts with the tokenizer, chat template and pixel limits of a model's folder."""

    tokenizer: Any
    vision: Vision
    how: str

    def count(self, chat: Sequence[dict[str, str]], pictures: Sequence[Picture], rl: bool) -> int:
        messages = [{"role": m["role"], "content": _parts(m["content"])} for m in chat]
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=rl
        )
        placeholders = len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return placeholders + sum(self.vision.tokens(p.width, p.height) - 1 for p in pictures)


def _parts(content: str) -> list[dict[str, str]]:
    """A message as the parts that chat templates of vision models take."""
    return list(_walk(content))


def _walk(content: str) -> Iterator[dict[str, str]]:
    for number, text in enumerate(content.split(IMAGE)):
        if number:
            yield {"type": "image"}
        if text:
            yield {"type": "text", "text": text}


def token_count(folder: str | None) -> TokenCount:
    """The processor in a folder, or the estimate where none is given.

    Raises:
        ExportError: no processor of the Qwen2-VL family is there, or transformers is missing.
    """
    if folder is None:
        return Estimate()
    vision = _vision(Path(folder))
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise ExportError("reading a processor needs transformers: pip install it") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ExportError(f"the tokenizer in {folder} cannot be loaded: {error}") from None
    if not tokenizer.chat_template:
        raise ExportError(f"the tokenizer in {folder} has no chat template: add its file there")
    return Processor(tokenizer, vision, f"counted with the processor in {folder}")


def _vision(folder: Path) -> Vision:
    values = _preprocessor(folder)
    kind = values.get("image_processor_type", "none")
    if not kind.startswith("Qwen2VLImageProcessor"):
        raise ExportError(
            f"the processor in {folder} is of another family ({kind}): image tokens are known for"
            " Qwen2-VL and Qwen2.5-VL; leave it out for an estimate"
        )
    size = values.get("size") or {}
    known = Vision()
    return Vision(
        patch=values.get("patch_size", known.patch),
        merge=values.get("merge_size", known.merge),
        min_pixels=values.get("min_pixels") or size.get("shortest_edge", known.min_pixels),
        max_pixels=values.get("max_pixels") or size.get("longest_edge", known.max_pixels),
    )


def _preprocessor(folder: Path) -> dict[str, Any]:
    """The image processor's settings: transformers writes one of two files."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        try:
            values: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ExportError(f"{folder / name} cannot be read: {error}") from None
        inner: dict[str, Any] = values.get("image_processor", values)
        return inner
    raise ExportError(f"there is no processor in {folder}: name the folder of a Qwen2.5-VL model")


def length(tokens: TokenCount, limit: int, *, rl: bool) -> Rule:
    """Rows that the trainer drops, cuts or fails on because they are too long."""

    def find(candidate: Candidate) -> str | None:
        pictures = [found for _, found in candidate.sound()]
        count = tokens.count(candidate.chat, pictures, rl)
        if count <= limit:
            return None
        return (
            f"the {'prompt' if rl else 'conversation'} has {count:,} tokens ({tokens.how}) and the"
            f" limit is {limit:,}: raise the trainer's limit and max_tokens, or drop the row"
        )

    return Rule("length", find)
