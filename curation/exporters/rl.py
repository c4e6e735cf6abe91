"""What the RL targets share: the columns that verl and its forks read."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa

from curation.dialects import get_dialect
from curation.exporters.base import CHAT, IMAGES, ExportRow, chat, pictures
from schemas import Message

REWARD_MODEL = pa.struct([("style", pa.string()), ("ground_truth", pa.string())])
EXTRA_INFO = pa.struct(
    [
        ("index", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("split", pa.string()),
    ]
)
"""Exactly these members in this order: the forks cannot join shards that differ here."""


def rl_schema(own: str, extra_info: pa.DataType = EXTRA_INFO) -> pa.Schema:
    """The RL columns; `own` names the text column in which the trainers differ."""
    return pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", CHAT),
            ("images", IMAGES),
            ("ability", pa.string()),
            (own, pa.string()),
            ("reward_model", REWARD_MODEL),
            ("extra_info", extra_info),
        ]
    )


def rl_columns(
    example: ExportRow, prompt: Sequence[Message], *, data_source: str, index: str, split: str
) -> dict[str, Any]:
    """All columns but the trainer's own, with the members of EXTRA_INFO."""
    sample = example.sample
    # Empty, and then refused, when there is none.
    gold = sample.answers[0] if sample.answers else ""
    return {
        "data_source": data_source,
        "prompt": chat(prompt),
        # A trajectory's images go on with the crops that the model made.
        "images": pictures(example.images[: len(sample.image_ids)]),
        "ability": sample.category,
        "reward_model": {"style": "rule", "ground_truth": gold},
        "extra_info": {
            "index": index,
            "question": sample.question,
            "answer": gold,
            "split": split,
        },
    }


def tool_prompt(dialect: str, example: ExportRow, offers: Collection[str]) -> list[Message]:
    """The very prompt under which the sample was measured with tools, less those tools of the
    recipe that the trainer's environment does not have."""
    schemas = (json.dumps(tool.schema) for tool in example.tools if tool.name in offers)
    sample = example.sample
    return get_dialect(dialect, schemas).opening(sample.question, len(sample.image_ids))
