"""DeepEyesV2 (arXiv 2511.05271): RL rows for the authors' fork of verl.

Columns, values and launch keys: its `rl_dataset.py`, `parallel_env.py`, `reward_score` and
`examples/deepeyesv2`.
"""

from __future__ import annotations

from typing import Any

from curation.exporters.base import ExportRow, Launch
from curation.exporters.checks import one_of
from curation.exporters.common_rules import COMMON, IMAGES_PRESENT
from curation.exporters.launch import RL_TOKENS, TRAINER, fork_keys, launch_script, training_keys
from curation.exporters.rl import rl_columns, rl_schema, tool_prompt
from curation.exporters.rl_rules import RL

NAME = "deepeyes-v2"
KIND = "rl"
DIALECT = "deepeyes-v2"
TOOLS: tuple[str, ...] = ("search", "image_search")
FILES = False
MAX_TOKENS = RL_TOKENS
ENV_NAME = "deepeyes_v2"

DATA_SOURCES = {
    "perception": "perception",
    "document": "perception",
    "chart": "perception",
    "reason": "reason",
    "search": "search",
}
"""By category; the paper counts charts to perception (appendix A.1)."""

SCHEMA = rl_schema("env_name")
RULES = (
    one_of("data_source", ("perception", "reason", "search")),
    one_of("env_name", (ENV_NAME,)),
    IMAGES_PRESENT,
    *COMMON,
    *RL,
)
NOTES = (
    "The code server at http://127.0.0.1:8000/jupyter_sandbox must be up before the trainer:"
    " `toolsight sandbox serve` is one.",
    "The environment loads only the first image, as `image_1`.",
    "The released DeepEyesV2 shards join a run with these only if their `extra_info` has the"
    " same members in the same order.",
)


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One sample; columns as SCHEMA."""
    sample = example.sample
    prompt = tool_prompt(DIALECT, example, TOOLS)
    data_source = DATA_SOURCES.get(sample.category, sample.category)
    columns = rl_columns(example, prompt, data_source=data_source, index=index, split=split)
    return columns | {"env_name": ENV_NAME}


def files(launch: Launch) -> dict[str, str]:
    """The fork's launch with the keys on which these rows rely."""
    keys = [
        *training_keys(launch),
        "data.max_response_length=16384",
        *fork_keys(turn_tokens=8192, max_turns=9),
        """'actor_rollout_ref.rollout.agent.custom_stop=["</code>","</tool_call>"]'""",
    ]
    return {"train.sh": launch_script(TRAINER, keys)}
