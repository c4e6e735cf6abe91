"""The contract check: every rule on every row, before an export becomes visible.

A rule looks at a row as it would be written and answers with a sentence or with nothing. The
sentence begins with the field and ends with the remedy. Rules common to all targets are here;
those of one kind of target are in `rl_rules` and `sft_rules`; each target lists its own.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa
from PIL import Image as Pillow

from curation.dialects.base import IMAGE

MIN_SIDE = 28
"""Pixels; one merged patch of the Qwen2.5-VL vision encoder."""
MAX_ASPECT = 200
"""From this ratio on, `smart_resize` of Qwen-VL raises."""

_PYTHON: dict[pa.DataType, type] = {
    pa.string(): str,
    pa.binary(): bytes,
    pa.int64(): int,
    pa.bool_(): bool,
}
_DEEP_MODES = re.compile(r"I|F|I;16.*")
_SPECIAL = re.compile(
    r"<\|(?:im_start|im_end|endoftext|vision_start|vision_end|vision_pad|image_pad|video_pad)\|>"
)


class Complaint(NamedTuple):
    """Why a row is left out."""

    rule: str
    sentence: str


class Picture(NamedTuple):
    """A decoded image, without its pixels."""

    width: int
    height: int
    mode: str


class Candidate:
    """A row under check; its pictures are decoded once, and only if a rule asks for them."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row

    @property
    def chat(self) -> list[dict[str, str]]:
        """The conversation: `prompt` of RL rows, `messages` of SFT rows."""
        messages: list[dict[str, str]] = self.row["prompt" if "prompt" in self.row else "messages"]
        return messages

    @cached_property
    def pictures(self) -> list[Picture | str]:
        """Each image, or the decoder's complaint about it."""
        return [picture(image["bytes"]) for image in self.row["images"]]

    def turns(self, role: str) -> list[str]:
        """The contents of all turns of one role."""
        return [message["content"] for message in self.chat if message["role"] == role]

    def sound(self) -> Iterator[tuple[str, Picture]]:
        """Field name and picture of every image that can be decoded."""
        for number, found in enumerate(self.pictures):
            if isinstance(found, Picture):
                yield f"images[{number}]", found


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a trainer refuses, loses or trips over."""

    name: str
    find: Callable[[Candidate], str | None]
    """The fault in one sentence, or None."""


class ContractCheck:
    """The rules of one target over the rows of one export."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._seen: set[bytes] = set()

    def __call__(self, row: dict[str, Any], index: str) -> Complaint | None:
        """The first rule that a row breaks; the row is remembered only if it breaks none."""
        candidate = Candidate(row)
        for rule in self._rules:
            if sentence := rule.find(candidate):
                return Complaint(rule.name, sentence)
        # 16 bytes instead of the id keep a million rows within some tens of megabytes.
        key = hashlib.blake2b(index.encode(), digest_size=16).digest()
        if key in self._seen:
            return Complaint("unique_index", f"index {index} is taken by an earlier row: drop one")
        self._seen.add(key)
        return None


def picture(encoded: bytes) -> Picture | str:
    """Decode an image to its last pixel, since a cut-off file still has a sound header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(encoded)) as image:
                found = Picture(image.width, image.height, image.mode)
                # JPEG only: decoding at an eighth reads all the data in a fraction of the time.
                image.draft(None, (1, 1))
                image.load()
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        return str(error)
    return found


def types(schema: pa.Schema) -> Rule:
    """Values that are not of their Arrow type, nulls, and columns too many or too few.

    `pa.Table.from_pylist` drops an unknown key and fills a missing one with null, without a word.
    """

    def find(candidate: Candidate) -> str | None:
        return _mismatch(candidate.row, pa.struct(list(schema)), "")

    return Rule("types", find)


def _mismatch(value: object, kind: pa.DataType, field: str) -> str | None:
    if value is None:
        return None if field.endswith(".path") else f"{field} is null: every row needs a value"
    if pa.types.is_list(kind) and isinstance(value, list):
        parts = [(item, kind.value_type, f"{field}[{i}]") for i, item in enumerate(value)]
    elif pa.types.is_struct(kind) and isinstance(value, dict):
        names = [member.name for member in kind]
        if set(names) != set(value):
            where = field or "the row"
            return f"{where} has the members {sorted(value)}: it must have {sorted(names)}"
        parts = [(value[m.name], m.type, f"{field}.{m.name}".lstrip(".")) for m in kind]
    elif type(value) is not _PYTHON.get(kind):
        return f"{field} is of type {type(value).__name__}: it must be {kind}"
    elif isinstance(value, str) and not _encodable(value):
        return f"{field} holds half a character (a lone surrogate): repair its encoding"
    else:
        return None
    return next((fault for part in parts if (fault := _mismatch(*part))), None)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def one_of(column: str, allowed: Sequence[str]) -> Rule:
    """A column whose values the trainer looks up; any other raises there."""
    known = ", ".join(repr(value) for value in allowed)

    def find(candidate: Candidate) -> str | None:
        value = candidate.row[column]
        if value in allowed:
            return None
        return f"{column} is {value!r}, which the trainer does not know: it must be one of {known}"

    return Rule(column, find)


def _images_present(candidate: Candidate) -> str | None:
    if candidate.row["images"]:
        return None
    return "images is empty, and rows with and without images do not share a batch: drop the row"


def _placeholder_count(candidate: Candidate) -> str | None:
    placeholders = sum(message["content"].count(IMAGE) for message in candidate.chat)
    images = len(candidate.row["images"])
    if placeholders == images:
        return None
    return (
        f"the conversation says {IMAGE} {placeholders} times for {images} images:"
        f" reword a text that holds a literal {IMAGE}"
    )


def _placeholder_role(candidate: Candidate) -> str | None:
    for role in ("system", "assistant"):
        if any(IMAGE in content for content in candidate.turns(role)):
            return f"a {role} turn holds {IMAGE}, which would stand for an image: reword it"
    return None


def _media_words(candidate: Candidate) -> str | None:
    for message in candidate.chat:
        for word in ("<video>", "<audio>"):
            if word in message["content"]:
                return f"a {message['role']} turn holds {word}, read as a placeholder: reword it"
    return None


def _special_tokens(candidate: Candidate) -> str | None:
    for message in candidate.chat:
        if found := _SPECIAL.search(message["content"]):
            return f"a {message['role']} turn holds the control token {found[0]}: reword it"
    return None


def _image_decodes(candidate: Candidate) -> str | None:
    for number, found in enumerate(candidate.pictures):
        if isinstance(found, str):
            return f"images[{number}] cannot be decoded ({found}): replace or drop it"
    return None


def _image_side(candidate: Candidate) -> str | None:
    for field, found in candidate.sound():
        if min(found.width, found.height) < MIN_SIDE:
            return (
                f"{field} is {found.width} by {found.height} pixels and no side may be below"
                f" {MIN_SIDE}: enlarge it before it is measured"
            )
    return None


def _image_aspect(candidate: Candidate) -> str | None:
    for field, found in candidate.sound():
        if max(found.width, found.height) >= MAX_ASPECT * min(found.width, found.height):
            return (
                f"{field} is {found.width} by {found.height} pixels and the sides' ratio must be"
                f" below {MAX_ASPECT}: cut it into parts before it is measured"
            )
    return None


def _image_mode(candidate: Candidate) -> str | None:
    for field, found in candidate.sound():
        if _DEEP_MODES.fullmatch(found.mode):
            return (
                f"{field} has pixels of the mode {found.mode}, which turn white when a trainer"
                " converts them to RGB: store it with 8 bits a channel"
            )
    return None


COMMON = (
    Rule("images_present", _images_present),
    Rule("placeholder_role", _placeholder_role),
    Rule("placeholder_count", _placeholder_count),
    Rule("media_words", _media_words),
    Rule("special_tokens", _special_tokens),
    Rule("image_decodes", _image_decodes),
    Rule("image_side", _image_side),
    Rule("image_aspect", _image_aspect),
    Rule("image_mode", _image_mode),
)
"""Rules of every target; like all others they rely on `types` having passed."""
