"""What goes into an export, and what every export target offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from curation.exporters.checks import Rule
from curation.tools import Tool
from schemas import Author, Benefit, Message, Pair, Sample, Trajectory


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A sample, or a trajectory or a pair of it, on its way into an export."""

    sample: Sample
    images: list[bytes]
    """Encoded as they were pulled in: the trajectory's, or the pair's (prompt, chosen, rejected),
    if there is one, else the sample's."""
    dialect: str
    """The dialect in which the sample was measured with tools."""
    tools: tuple[Tool, ...] = ()
    """The recipe's tools, which it was measured with beside the dialect's own."""
    trajectory: Trajectory | None = None
    pair: Pair | None = None
    benefit: Benefit | None = None
    policy: str = ""
    """Name of the model that measured the sample."""
    author: Author | None = None
    """Who wrote the trajectory, or the pair's chosen side."""
    split: str = "train"
    masked: tuple[int, ...] = ()
    """Turns of the assistant, from 1, that are to be left out of the loss; of a pair, those of
    the chosen side."""
    decoded: bool = False
    """Whether every image was decoded before and still has the bytes that it had then."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What launch files speak of."""

    train: Sequence[str]
    """Names of the shards, in order."""
    val: Sequence[str]
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Background:
    """How a run made the rows; for the card."""

    funnel: Sequence[Sequence[str]]
    """Header and lines: what became of every row."""
    recipe: str
    """TOML, with every default written out."""
    models: Mapping[str, str]
    """Who answered, by arm."""
    versions: Mapping[str, str]
    mix: Sequence[Sequence[str]] = ()
    """Header and lines: what the trajectories consist of, and what the recipe wanted."""
    evidence: Sequence[tuple[str, str]] = ()
    """Figures that tell whether the tools mattered, and what they are."""


class Target(Protocol):
    """An export target is a module: a schema, a row function, rules and launch files."""

    @property
    def NAME(self) -> str: ...

    @property
    def KIND(self) -> str:
        """rl: one row a sample; sft: one row a trajectory; dpo: one row a pair of rollouts."""
        ...

    @property
    def DIALECT(self) -> str | None:
        """The dialect that the trainer's environment speaks; null when rows bring their own."""
        ...

    @property
    def TOOLS(self) -> tuple[str, ...]:
        """Tools that the trainer's environment has beside those of its dialect."""
        ...

    @property
    def SCHEMA(self) -> pa.Schema:
        """Columns with the bytes of images in them."""
        ...

    @property
    def FILES(self) -> bool:
        """Whether the trainer reads images that lie beside the shards."""
        ...

    @property
    def MAX_TOKENS(self) -> int | None:
        """Longest row by default; None where length does not matter."""
        ...

    @property
    def RULES(self) -> tuple[Rule, ...]:
        """What the trainer refuses, loses or trips over."""
        ...

    @property
    def NOTES(self) -> tuple[str, ...]:
        """Sentences for the card: what a user of this target has to know."""
        ...

    def row(self, example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
        """One row of exactly the columns of SCHEMA."""
        ...

    def files(self, launch: Launch) -> dict[str, str]:
        """Names and texts of the files that start the trainer on these shards."""
        ...


CHAT = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
MASKED_CHAT = pa.list_(
    pa.struct([("role", pa.string()), ("content", pa.string()), ("loss", pa.bool_())])
)
"""`loss` is false where a turn is left out of the loss, and null where the trainer decides."""
IMAGES = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def chat(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages as a CHAT value."""
    return [{"role": message.role, "content": message.content} for message in messages]


def masked_chat(messages: Sequence[Message], masked: Sequence[int]) -> list[dict[str, Any]]:
    """Messages as a MASKED_CHAT value; `masked` counts the assistant's turns from 1."""
    turns = [i for i, message in enumerate(messages) if message.role == "assistant"]
    without = {turns[number - 1] for number in masked}
    return [
        each | {"loss": False if i in without else None} for i, each in enumerate(chat(messages))
    ]


def can_mask(schema: pa.Schema) -> bool:
    """Whether rows can tell the trainer to leave a turn out of the loss."""
    return MASKED_CHAT in schema.types


def pictures(images: Sequence[bytes]) -> list[dict[str, bytes | None]]:
    """Encoded images as an IMAGES value; `path` stays null, since the forks never read it."""
    return [{"bytes": encoded, "path": None} for encoded in images]


def image_columns(schema: pa.Schema) -> list[str]:
    """The columns that hold encoded images."""
    return [column.name for column in schema if column.type == IMAGES]
