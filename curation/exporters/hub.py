"""A data set for people and for `datasets.load_dataset(folder)`: RL samples in flat columns.

The shards carry the `Image` feature, so that viewers show pictures. It is written as a `Sequence`:
`datasets` before 4 cannot read the later `List`, and later releases read both.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from curation.exporters.base import IMAGES, ExportRow, Launch, pictures
from curation.exporters.common_rules import IMAGES_PRESENT, PICTURES

NAME = "hub"
KIND = "rl"
DIALECT = None
TOOLS: tuple[str, ...] = ()
FILES = False
MAX_TOKENS = None

_TEXTS = ("question", "answer_kind", "category", "source", "license", "origin")
_LISTS = ("answers", "choices")
_COUNTS = ("direct_attempts", "direct_right", "tools_attempts", "tools_right")


def _value(kind: str) -> dict[str, str]:
    return {"dtype": kind, "_type": "Value"}


_FEATURES: dict[str, Any] = {
    "id": _value("string"),
    "images": {"feature": {"_type": "Image"}, "_type": "Sequence"},
    **{name: _value("string") for name in _TEXTS},
    **{name: {"feature": _value("string"), "_type": "Sequence"} for name in _LISTS},
    **{name: _value("int64") for name in _COUNTS},
}
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("images", IMAGES),
        *((name, pa.string()) for name in _TEXTS),
        *((name, pa.list_(pa.string())) for name in _LISTS),
        *((name, pa.int64()) for name in _COUNTS),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})},
)
RULES = (IMAGES_PRESENT, *PICTURES)
NOTES = (
    "Answers: the gold answer first, accepted aliases after it.",
    "Attempts and right answers are of the base model named in the provenance, without and with"
    " tools; 0 attempts where an arm was not run.",
    "No split of a benchmark was removed from the sources: compare before you evaluate on one.",
)


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One sample; columns as SCHEMA."""
    sample = example.sample
    return {
        "id": index,
        "images": pictures(example.images[: len(sample.image_ids)]),
        **{name: getattr(sample, name) for name in _TEXTS},
        **{name: list(getattr(sample, name)) for name in _LISTS},
        **{name: getattr(example.benefit, name, 0) for name in _COUNTS},
    }


def files(launch: Launch) -> dict[str, str]:
    """None: `datasets.load_dataset(folder)` reads the card."""
    return {}
