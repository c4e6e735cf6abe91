"""Where the turns of the assistant stand among the tokens of a conversation in Qwen's template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def shares(tokenizer: Any, input_ids: Sequence[int], trained: Sequence[bool]) -> list[float]:
    """Of every turn of the assistant, the share of its tokens, its end among them, that is
    trained."""
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    role = tokenizer.encode("assistant\n", add_special_tokens=False)
    found = []
    for i, token in enumerate(input_ids):
        if token == start and list(input_ids[i + 1 : i + 1 + len(role)]) == role:
            first = i + 1 + len(role)
            last = list(input_ids).index(end, first)
            found.append(sum(trained[first : last + 1]) / (last + 1 - first))
    return found
