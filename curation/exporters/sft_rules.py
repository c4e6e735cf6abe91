"""Rules of the SFT targets: the order of turns and the grammar of the assistant's."""

from __future__ import annotations

from curation.exporters.checks import Candidate, Rule

STARTS = ("<think>", "<answer>")
STOPS = ("</code>", "</tool_call>", "</answer>")


def _turn_order(candidate: Candidate) -> str | None:
    """LLaMA-Factory drops any other order with a warning; verl fails on two users in a row."""
    roles = [message["role"] for message in candidate.chat]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if turns and turns == ["user", "assistant"] * (len(turns) // 2):
        return None
    if not turns:
        return "messages has no turns: an SFT row needs a verified trajectory"
    return f"messages has the roles {roles}: user and assistant must alternate to the last answer"


def _turn_start(candidate: Candidate) -> str | None:
    for number, content in enumerate(candidate.turns("assistant"), 1):
        if not content.startswith(STARTS):
            return f"assistant turn {number} begins {content[:12]!r}: it must begin with <think>"
    return None


def _turn_end(candidate: Candidate) -> str | None:
    """The trained model stops where its environment cuts."""
    for number, content in enumerate(candidate.turns("assistant"), 1):
        if not content.endswith(STOPS):
            return (
                f"assistant turn {number} ends {content[-12:]!r}: it must end with the stop tag"
                f" of its action, one of {', '.join(STOPS)}"
            )
    return None


def _turn_tags(candidate: Candidate) -> str | None:
    for number, content in enumerate(candidate.turns("assistant"), 1):
        for tag in ("think", "code", "tool_call", "answer"):
            if content.count(f"<{tag}>") != content.count(f"</{tag}>"):
                return f"assistant turn {number} does not close every <{tag}>: drop the trajectory"
    return None


def _answer_last(candidate: Candidate) -> str | None:
    """An `<answer>` ends the episode in every published environment."""
    *earlier, last = candidate.turns("assistant")
    if any("<answer>" in content for content in earlier):
        return "an assistant turn before the last holds <answer>: drop the trajectory"
    if last.rpartition("</think>")[2].count("<answer>") != 1:
        return "the last assistant turn must hold one <answer> after its thought: drop it"
    return None


SFT = (
    Rule("turn_order", _turn_order),
    Rule("turn_start", _turn_start),
    Rule("turn_end", _turn_end),
    Rule("turn_tags", _turn_tags),
    Rule("answer_last", _answer_last),
)
"""Rules of every SFT target."""
