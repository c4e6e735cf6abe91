"""verl 0.9.1: RL rows for `RLHFDataset` with the `tool_agent` loop.

That release has the loop and its `hermes` parser, but neither a zoom tool nor a reward for visual
questions: both are written beside the shards.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.dialects import get_dialect
from curation.exporters.base import ExportRow, Launch
from curation.exporters.checks import one_of
from curation.exporters.common_rules import COMMON, IMAGES_PRESENT
from curation.exporters.launch import RL_TOKENS, TRAINER, launch_script, training_keys
from curation.exporters.rl import rl_columns, rl_schema, tool_prompt
from curation.exporters.rl_rules import RL

NAME = "verl"
KIND = "rl"
DIALECT = "deepeyes"
TOOLS: tuple[str, ...] = ()
FILES = False
MAX_TOKENS = RL_TOKENS
AGENT_NAME = "tool_agent"
TOOL = "image_zoom_in_tool"

# No `tools_kwargs`: a member that is null in some rows breaks the tool agent, and the zoom tool
# needs none, since it finds the image in the conversation.
EXTRA_INFO = pa.struct(
    [
        ("index", pa.string()),
        ("split", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("need_tools_kwargs", pa.bool_()),
        ("tool_selection", pa.list_(pa.string())),
    ]
)
SCHEMA = rl_schema("agent_name", EXTRA_INFO)
RULES = (one_of("agent_name", (AGENT_NAME,)), IMAGES_PRESENT, *COMMON, *RL)
NOTES = (
    "The system message describes the tool; a chat template that renders `tools` itself says it"
    " a second time: look at one rendered prompt first.",
    "verl resizes images before the tool sees them, so zoom boxes are pixels of the resized"
    " image; it differs from the original by less than 28 pixels a side, or more where the"
    " original is larger than the trainer's pixel limit.",
    "`reward.py` compares the last <answer> with the ground truth; put your own grader or judge"
    " in its place for answers that are worded freely.",
)

_TEMPLATES = Path(__file__).parent / "templates"


def row(example: ExportRow, *, index: str, split: str) -> dict[str, Any]:
    """One sample; columns as SCHEMA."""
    sample = example.sample
    prompt = tool_prompt(DIALECT, example, TOOLS)
    data_source = f"toolsight/{sample.category}"
    columns = rl_columns(example, prompt, data_source=data_source, index=index, split=split)
    columns["extra_info"] |= {"need_tools_kwargs": False, "tool_selection": [TOOL]}
    return columns | {"agent_name": AGENT_NAME}


def _tool_schema() -> str:
    """The JSON schema of the tool, word for word as the prompt shows it."""
    system = get_dialect(DIALECT).opening("", 0)[0].content
    found = re.search(r"<tools>\n(.+)\n</tools>", system)
    assert found, "the dialect's system prompt lists its tools"
    return found[1]


def files(launch: Launch) -> dict[str, str]:
    """Launch script, zoom tool with its configuration (JSON is YAML), and reward."""
    keys = [
        *training_keys(launch),
        "data.max_response_length=20480",
        "actor_rollout_ref.rollout.multi_turn.enable=True",
        "actor_rollout_ref.rollout.multi_turn.format=hermes",
        "actor_rollout_ref.rollout.multi_turn.max_assistant_turns=6",
        '"actor_rollout_ref.rollout.multi_turn.tool_config_path=$here/zoom_tool.yaml"',
        '"reward.custom_reward_function.path=$here/reward.py"',
    ]
    command = f'PYTHONPATH="$here${{PYTHONPATH:+:$PYTHONPATH}}" {TRAINER}'
    tool = "class_name: zoom_tool.ZoomTool\n    config: {type: native}\n    tool_schema: "
    return {
        "train.sh": launch_script(command, keys),
        "zoom_tool.yaml": f"tools:\n  - {tool}{_tool_schema()}\n",
        "zoom_tool.py": (_TEMPLATES / "verl_zoom_tool.py.txt").read_text(encoding="utf-8"),
        "reward.py": (_TEMPLATES / "verl_reward.py.txt").read_text(encoding="utf-8"),
    }
