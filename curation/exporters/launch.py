"""Shell scripts that start a trainer on the shards beside them."""

from __future__ import annotations

from collections.abc import Sequence

from curation.exporters.base import Launch

RL_TOKENS = 8192
"""Longest prompt in the published launches of DeepEyes and DeepEyesV2."""
SFT_TOKENS = 20480
"""Longest conversation; as long as a response in the published launch of DeepEyes."""

TRAINER = "python3 -m verl.trainer.main_ppo"

_HEAD = """\
#!/usr/bin/env bash
# The keys on which these shards rely; batch sizes and machines are yours to add:
#   ./train.sh {example}
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"""


def file_list(shards: Sequence[str]) -> str:
    """The shards as a Hydra list of absolute paths."""
    return "[" + ",".join(f"$here/{name}" for name in shards) + "]"


def training_keys(launch: Launch) -> list[str]:
    """What verl and its forks need to read the RL columns without losing rows unseen.

    Where there is no validation split, the first shard stands in for its files, which the trainers
    insist on.
    """
    return [
        f'"data.train_files={file_list(launch.train)}"',
        f'"data.val_files=${{VAL_FILES:-{file_list(launch.val or launch.train[:1])}}}"',
        "data.prompt_key=prompt",
        "data.image_key=images",
        "data.return_raw_chat=True",
        "data.filter_overlong_prompts=True",
        "data.truncation=error",
        f"data.max_prompt_length={launch.max_tokens}",
    ]


def fork_keys(*, turn_tokens: int, max_turns: int) -> list[str]:
    """The agent loop of the DeepEyes forks."""
    agent = "actor_rollout_ref.rollout.agent"
    return [
        f"{agent}.activate_agent=True",
        f"{agent}.tool_name_key=env_name",
        f"{agent}.single_response_max_tokens={turn_tokens}",
        f"{agent}.max_turns={max_turns}",
        "reward_model.reward_manager=naive_async",
    ]


def launch_script(
    command: str, keys: Sequence[str], *, model: str = "actor_rollout_ref.model.path"
) -> str:
    """A script with Hydra keys; `model` is the model's key."""
    return shell_script(command, keys, example=f"{model}=... trainer.n_gpus_per_node=8")


def shell_files(shards: Sequence[str]) -> str:
    """The shards as arguments of a shell command."""
    return " ".join(f'"$here/{name}"' for name in shards)


def shell_script(command: str, arguments: Sequence[str], *, example: str) -> str:
    """One bash script; whatever it is called with, such as `example`, is passed on."""
    return (
        _HEAD.replace("{example}", example) + " \\\n  ".join([command, *arguments, '"$@"']) + "\n"
    )
