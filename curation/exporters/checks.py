"""The contract check: every rule on every row, before an export becomes visible.

A rule looks at a row as it would be written and answers with a sentence or with nothing. The
sentence begins with the field and ends with the remedy. Rules about images and conversations are
in `common_rules`, those of one kind of target in `rl_rules`, `sft_rules` and `dpo`; each target
lists its own.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import pyarrow as pa
from PIL import Image as Pillow

from curation.dialects.base import IMAGE

_PYTHON: dict[pa.DataType, type] = {
    pa.string(): str,
    pa.binary(): bytes,
    pa.int64(): int,
    pa.bool_(): bool,
}
_ORIENTATION = 0x0112
"""The EXIF tag."""


class Complaint(NamedTuple):
    """Why a row is left out."""

    rule: str
    sentence: str


class Picture(NamedTuple):
    """A decoded image, without its pixels."""

    width: int
    height: int
    mode: str
    upright: bool
    """Whether its EXIF data asks for no rotation."""


class Candidate:
    """A row under check; its pictures are opened once, and only if a rule asks for them."""

    def __init__(
        self, row: dict[str, Any], folder: Path | None = None, *, decoded: bool = False
    ) -> None:
        self.row = row
        self._folder = folder
        self._decoded = decoded

    @cached_property
    def chat(self) -> list[dict[str, str]]:
        """The conversation: `prompt` of RL rows, `messages` of SFT rows; parts are joined."""
        messages = self.row.get("prompt") or self.row.get("messages") or []
        return [message | {"content": joined(message["content"])} for message in messages]

    @cached_property
    def sides(self) -> dict[str, Candidate]:
        """The chosen and the rejected conversation of a pair, each as a row of its own."""
        row = self.row
        prompt = row.get("prompt") or row["messages"]
        conversations = {
            side: {"messages": row[f"{side}_messages"], "images": row[f"{side}_images"]}
            if f"{side}_messages" in row
            else {"messages": _continued(prompt, row.get(side)), "images": row["images"]}
            for side in ("chosen", "rejected")
        }
        return {
            side: Candidate(each, self._folder, decoded=self._decoded)
            for side, each in conversations.items()
        }

    @cached_property
    def pictures(self) -> list[Picture | str]:
        """Each image, or what is wrong with it."""
        return [self._picture(image) for image in self.row["images"]]

    def _picture(self, image: dict[str, Any] | str) -> Picture | str:
        encoded = self._beside(image) if isinstance(image, str) else image["bytes"]
        return encoded if isinstance(encoded, str) else picture(encoded, decoded=self._decoded)

    def _beside(self, name: str) -> bytes | str:
        """The bytes of an image that lies beside the shards, or why they cannot be had."""
        if self._folder is None or PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            return f"the path {name!r} does not lead to a file of the export"
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            return f"{name}: {error.strerror}"

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
    """The rules of one target over all rows that a trainer is given together."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._seen: set[bytes] = set()

    def __call__(
        self,
        row: dict[str, Any],
        index: str,
        *,
        folder: Path | None = None,
        decoded: bool = False,
    ) -> Complaint | None:
        """The first rule that a row breaks; the row is remembered only if it breaks none.

        Args:
            row: as it is, or would be, in a shard.
            index: the identity that no other row may have.
            folder: where image files lie that the row names.
            decoded: the images are known to be sound, so that only their headers are read.
        """
        candidate = Candidate(row, folder, decoded=decoded)
        for rule in self._rules:
            if sentence := rule.find(candidate):
                return Complaint(rule.name, sentence)
        # 16 bytes instead of the id keep a million rows within some tens of megabytes.
        key = hashlib.blake2b(index.encode(), digest_size=16).digest()
        if key in self._seen:
            return Complaint("unique_index", f"index {index} is taken by an earlier row: drop one")
        self._seen.add(key)
        return None


def _continued(prompt: list[Any], reply: Any) -> list[Any]:
    """A prompt with what follows: messages, one message, or nothing where it holds all of it."""
    if reply is None:
        return prompt
    return [*prompt, *(reply if isinstance(reply, list) else [reply])]


def joined(content: str | list[dict[str, str]]) -> str:
    """A message as one text: parts of the type image become their placeholder."""
    if isinstance(content, str):
        return content
    return "".join(IMAGE if part["type"] == "image" else part["text"] for part in content)


def picture(encoded: bytes, *, decoded: bool = False) -> Picture | str:
    """Decode an image to its last pixel, since a cut-off file still has a sound header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(encoded)) as image:
                width, height = image.size
                if not decoded:
                    # JPEG only: decoding at an eighth reads all data in a fraction of the time.
                    image.draft(None, (1, 1))
                    image.load()
                found = Picture(width, height, image.mode, _is_upright(image))
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        return str(error)
    return found


def _is_upright(image: Pillow.Image) -> bool:
    """Whether no EXIF tag turns it; `getexif` decodes a whole PNG, so it is asked where it may."""
    may_turn = image.format == "TIFF" or any("exif" in str(key).lower() for key in image.info)
    return not may_turn or image.getexif().get(_ORIENTATION, 1) == 1


def types(schema: pa.Schema) -> Rule:
    """Values that are not of their Arrow type, nulls, and columns too many or too few.

    `pa.Table.from_pylist` drops an unknown key and fills a missing one with null, without a word.
    """

    def find(candidate: Candidate) -> str | None:
        return _mismatch(candidate.row, pa.struct(list(schema)), "")

    return Rule("types", find)


def _mismatch(value: object, kind: pa.DataType, field: str) -> str | None:
    if value is None:
        free = field.endswith((".path", ".loss"))
        return None if free else f"{field} is null: every row needs a value"
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
