"""The models of a recipe: policy, judge and teachers, each an endpoint with its sampling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from curation.budget import Caps
from curation.dialects import DIALECTS
from curation.graders.judgement import STRUCTURED


def check_sampling(temperature: float, top_p: float) -> None:
    """ValueError for what no server samples with."""
    if temperature < 0 or not 0 < top_p <= 1:
        raise ValueError("temperature must be at least 0 and top_p in 0 < top_p <= 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An endpoint and how it is sampled; exactly one of url, urls, serve, embedded."""

    url: str | None = None
    """A server that already runs, such as `http://gpu-1:8000/v1`."""
    urls: tuple[str, ...] = ()
    """Several that serve the same model."""
    serve: str | None = None
    """A model path or hub id; a vLLM server is started for it on this machine."""
    serve_arguments: tuple[str, ...] = ()
    """Arguments of that server, as `vllm serve` takes them."""
    embedded: bool = False
    """The small demonstration model that ships with the package."""
    model: str | None = None
    """Name to ask for; by default the first that the endpoint serves."""
    api_key_env: str | None = None
    """Environment variable that holds the key: keys do not belong into recipes."""
    temperature: float = 1.0
    """At which attempts are sampled; 0 takes the likeliest token."""
    top_p: float = 1.0
    """Share of the probability from which tokens are sampled."""
    max_tokens: int = 512
    """The most that one reply may have."""
    max_in_flight: int = 64
    """Requests at a time, each for all attempts of an arm; a wave of fewer counts as its share."""
    timeout: float = 120.0
    """Seconds for one try."""
    retries: int = 5
    """Further tries of a request that fails; more where the server fails at others too."""
    backoff: float = 0.5
    """Seconds before the first of them; doubles with each, four times."""
    patience: float = 180.0
    """Seconds without any answer after which the run is given up; what is done is kept."""
    min_pixels: int | None = None
    """As `max_pixels`, from below."""
    max_pixels: int | None = None
    """Pixel budget of an image, as the trainer's processor has it; a request asks vLLM for it.
    Null leaves it to the server."""
    prompt_price: float | None = None
    """Money for a million tokens of prompts; of any currency, the same one in the whole recipe."""
    completion_price: float | None = None
    """Money for a million tokens of replies."""
    gpus: float = 1.0
    """GPUs that serve it: while requests are in flight each second costs so many GPU-seconds."""

    def __post_init__(self) -> None:
        ways = [self.url is not None, bool(self.urls), self.serve is not None, self.embedded]
        if sum(ways) != 1:
            raise ValueError("write exactly one of url, urls, serve, embedded = true")
        check_sampling(self.temperature, self.top_p)
        if min(self.max_tokens, self.max_in_flight) < 1 or self.timeout <= 0:
            raise ValueError("max_tokens, max_in_flight and timeout must be positive")
        if min(self.retries, self.backoff, self.patience) < 0:
            raise ValueError("retries, backoff and patience must be at least 0")
        if not 1 <= (self.min_pixels or 1) <= (self.max_pixels or 2**62):
            raise ValueError("min_pixels and max_pixels must be positive, the first the smaller")
        if min(self.prompt_price or 0, self.completion_price or 0, self.gpus) < 0:
            raise ValueError("prompt_price, completion_price and gpus must be at least 0")

    @property
    def request_fields(self) -> dict[str, Any]:
        """Fields of every request that only vLLM understands: the pixel budget."""
        pixels = {"min_pixels": self.min_pixels, "max_pixels": self.max_pixels}
        budget = {name: value for name, value in pixels.items() if value is not None}
        return {"mm_processor_kwargs": budget} if budget else {}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """URLs of servers that already run."""
        return self.urls or ((self.url,) if self.url else ())

    @property
    def endpoint(self) -> str:
        """How it is reached: url, serve or embedded."""
        return "embedded" if self.embedded else "serve" if self.serve else "url"

    @property
    def priced(self) -> bool:
        """Whether its replies can be counted in money."""
        return self.prompt_price is not None and self.completion_price is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeModel(Model):
    """A model that is asked where the rules of a grader cannot decide, and about thoughts where
    `[teach]` says so, and how its word counts."""

    temperature: float = 0.7
    """At which judgements are sampled, so that they can differ."""
    attempts: int = 3
    """Judgements of one answer."""
    agreement: float = 1.0
    """Share of them that a verdict needs; with less the answer stays unscored."""
    max_chars: int = 300
    """Longer answers are not judged, as in DeepEyesV2's reward (`deepeyesv2.py`); thoughts may have
    6000."""
    structured: bool = True
    """Ask for replies under a JSON schema (`response_format`); false for servers that refuse it."""

    @property
    def request_fields(self) -> dict[str, Any]:
        """No pixel budget, since a judge sees no image; the schema of a reply."""
        return STRUCTURED if self.structured else {}

    def __post_init__(self) -> None:
        Model.__post_init__(self)
        if self.attempts < 1 or self.max_chars < 1:
            raise ValueError("attempts and max_chars must be at least 1")
        if not 0.5 < self.agreement <= 1:
            raise ValueError(f"agreement is {self.agreement}: write a share above 0.5, at most 1")
        if self.temperature == 0 and self.attempts > 2:
            raise ValueError(
                f"attempts is {self.attempts}, but at temperature 0 all are the same: write"
                " attempts = 2, one for each order, or a temperature above 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher(Model):
    """A model that writes trajectories."""

    name: str = "teacher"
    """What the run calls it; letters, digits and underscores."""
    share: float = 1.0
    """Share of the attempts that it makes; the shares of all teachers sum to 1."""
    dialect: str | None = None
    """In which it writes; null leaves it to `[teach]`."""
    terms: str = ""
    """License or terms of use of what it writes, recorded with every rollout: outputs of some
    models may not be redistributed or trained on."""
    prompt: str | None = None
    """File with its system message, in which `{system}` stands for the dialect's own. What it says
    is told to the teacher alone: a trajectory opens with the dialect's prompt."""
    exemplars: str | None = None
    """File of example conversations with their images, told before the question as Mini-o3
    (arXiv 2509.07969) does with six: LLaMA-Factory's sharegpt JSON or Parquet, or verl's SFT
    Parquet. They are no part of a trajectory either."""
    budget: Caps | None = None
    """The most that it may cost; `[budget]` is for all models of the run together."""

    def __post_init__(self) -> None:
        Model.__post_init__(self)
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name) or self.name in _TAKEN:
            raise ValueError(
                f"name is {self.name!r}: write small letters, digits and underscores, and none of"
                f" {', '.join(_TAKEN)}"
            )
        tools = [name for name in DIALECTS if name != "direct"]
        if self.dialect is not None and self.dialect not in tools:
            raise ValueError(
                f"dialect is {self.dialect!r}: choose one with tools: {', '.join(tools)}"
            )
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}: write a share of more than 0, at most 1")
        if self.budget and self.budget.money is not None and not self.priced:
            raise ValueError(
                f"the budget of {self.name} is in money, and it has no price: add prompt_price and"
                " completion_price, for a million tokens"
            )


_TAKEN = ("policy", "judge")
"""Names that a budget knows other models by."""
