"""Rules of the RL targets: the prompt, the ground truth and `extra_info`."""

from __future__ import annotations

from curation.exporters.checks import Candidate, Rule

MAX_ANSWER = 300
"""Characters from which the DeepEyesV2 reward scores an answer 0, whatever it says."""


def _prompt_roles(candidate: Candidate) -> str | None:
    roles = [message["role"] for message in candidate.chat]
    if roles == ["system", "user"]:
        return None
    return f"prompt has the roles {roles}: it must be one system and one user message"


def _ground_truth(candidate: Candidate) -> str | None:
    truth = candidate.row["reward_model"]["ground_truth"]
    if not truth.strip():
        return "reward_model.ground_truth is empty and can only be scored 0: give an answer"
    if len(truth) >= MAX_ANSWER:
        return (
            f"reward_model.ground_truth has {len(truth)} characters and an answer of"
            f" {MAX_ANSWER} is scored 0: shorten it"
        )
    return None


def _question(candidate: Candidate) -> str | None:
    question = candidate.row["extra_info"]["question"]
    if not question.strip():
        return "extra_info.question is empty and every reward function reads it: give a question"
    if question not in candidate.turns("user")[0]:
        return "extra_info.question is not what the prompt asks: write the same text in both"
    return None


def _index(candidate: Candidate) -> str | None:
    index = candidate.row["extra_info"]["index"]
    if not index:
        return "extra_info.index is empty: give each row a text of its own"
    if "fvqa" in index:
        return f"extra_info.index {index!r} holds 'fvqa', which turns image search on: rename it"
    return None


RL = (
    Rule("prompt_roles", _prompt_roles),
    Rule("ground_truth", _ground_truth),
    Rule("question", _question),
    Rule("index", _index),
)
"""Rules of every RL target."""
