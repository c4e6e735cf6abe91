"""DeepEyes v1 (arXiv 2505.14362): RL rows for the authors' fork of verl.

Columns, values and launch keys: its `rl_dataset.py`, `parallel_env.py`, `reward_score`.
"""

from __future__ import annotations

from typing import Any

from curation.dialects import get_dialect
from curation.dialects.base import IMAGE
from curation.exporters.base import ExportRow, Launch
from curation.exporters.checks import one_of
from curation.exporters.common_rules import COMMON, IMAGES_PRESENT
from curation.exporters.launch import RL_TOKENS, TRAINER, fork_keys, launch_script, training_keys
from curation.exporters.rl import rl_columns, rl_schema, tool_prompt
from curation.exporters.rl_rules import RL
from schemas import Message, Sample

NAME = "deepeyes"
KIND = "rl"
DIALECT = "deepeyes"
TOOLS: tuple[str, ...] = ()
FILES = False
MAX_TOKENS = RL_TOKENS
ENV_NAME = "visual_toolbox_v2"

MATH = "thinklite_eureka"
"""Its reward looks for one boxed answer after the last thought, and its rows use no tool."""

DATA_SOURCES = {
    "perception": "vstar",
    "document": "vstar",
    "chart": "chart",
    "reason": MATH,
}
"""By category; the fork raises NotImplementedError for any other at the first reward."""

SCHEMA = rl_schema("env_name")
RULES = (
    one_of("data_source", ("vstar", "chart", MATH)),
    one_of("env_name", (ENV_NAME, "")),
    IMAGES_PRESENT,
    *COMMON,
    *RL,
)
NOTES = (
    "Zoom boxes are pixels of the original image; the environment crops the original.",
    f"Rows of the category reason have data source {MATH} and no environment, as published;"
    " their reward reads only a boxed answer, so their prompt asks for one and offers no tool.",
    "The fork has no search tool: samples of the category search are left out.",
)

_BOXED = (
    "\nThink step by step inside <think> </think>, then put the final answer, once,"
    " inside \\boxed{}."
)


def _math_prompt(sample: Sample) -> list[Message]:
    system = get_dialect("direct").opening(sample.question, 0)[0]
    images = IMAGE * len(sample.image_ids)
    return [system, Message("user", f"{images}\n{sample.question}{_BOXED}")]


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One sample; columns as SCHEMA."""
    sample = example.sample
    data_source = DATA_SOURCES.get(sample.category, sample.category)
    math = data_source == MATH
    prompt = _math_prompt(sample) if math else tool_prompt(DIALECT, example, TOOLS)
    columns = rl_columns(example, prompt, data_source=data_source, index=index, split=split)
    return columns | {"env_name": "" if math else ENV_NAME}


def files(launch: Launch) -> dict[str, str]:
    """The fork's launch with the keys on which these rows rely."""
    keys = [
        *training_keys(launch),
        "data.max_response_length=20480",
        *fork_keys(turn_tokens=10240, max_turns=5),
    ]
    return {"train.sh": launch_script(TRAINER, keys)}
