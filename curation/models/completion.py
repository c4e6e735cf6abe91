"""What is asked of a model and what it answers, free of HTTP."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How attempts are drawn.

    vLLM draws attempt i of a request with `seed + i`, so attempts k, k+1, ... of a sample can be
    asked for later with `seed + k` and are the ones that a single larger request would have drawn.
    """

    n: int = 1
    """Attempts in one request: the images are prepared and the prompt is read once."""
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    """A reply ends with the first of these, which is part of its text."""
    seed: int | None = None
    native: bool = False
    """The conversation's tools, calls and results go as fields of the API instead of text."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One attempt."""

    text: str
    finish_reason: str
    """stop, length, or what else the server names."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to one request."""

    replies: tuple[Reply, ...]
    prompt_tokens: int
    completion_tokens: int
    """Of all replies together."""
    seconds: float
    """From sending the request that succeeded to its last byte."""
