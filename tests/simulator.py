"""Policies whose pass rates are known, to check against the truth what is made of their attempts.

A `Pool` says how often each sample is solved in each arm and what became of every attempt, as
arrays. A `SimulatedPolicy` answers chat requests with rates of its own, for the scripted server:

    policy = SimulatedPolicy({"direct": [0.2, 0.9]})
    with ScriptedServer(policy.reply, service=ServiceTime(slots=8).serve) as server:
        ...  # a request about "Sample 0: ..." is answered right one time in five

An attempt has the same outcome in whatever wave it is drawn: in a pool its number decides, behind
a server its seed, which is the attempt's own.
"""

from __future__ import annotations

import asyncio
import io
import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
from PIL import Image

from curation.estimates.benefit import benefit_of
from curation.estimates.rules import Rule, Tally
from curation.recipes.presets import Toolsight
from curation.sources import RawSample
from curation.stages.count import holds
from curation.stages.ingest import ingest
from curation.stages.measure import measure
from curation.stages.screen import find_duplicates, screen
from schemas import Benefit, Box, to_table
from tests.curation.counted import tallies_row
from tests.scripted_server import Request, Text, text_of

MOST = 64
"""Attempts of one arm at one sample."""
_N = 8

Rates = npt.NDArray[np.float64]
Outcomes = npt.NDArray[np.bool_]

KINDS = ("easy", "hard", "mixed")


def pass_rates(kind: str, samples: int, seed: int = 0) -> Rates:
    """Rates of a pool that is easy (Beta(4, 1), 80 % right on average), hard (Beta(1, 4), 20 %)
    or mixed, half of each."""
    draw = np.random.default_rng(seed)
    easy, hard = draw.beta(4, 1, samples), draw.beta(1, 4, samples)
    return {"easy": easy, "hard": hard, "mixed": np.where(np.arange(samples) % 2, easy, hard)}[kind]


@dataclass(frozen=True, slots=True)
class Pool:
    """Samples with a known pass rate in every arm."""

    rates: Mapping[str, Rates]
    seed: int = 0

    def right(self, arm: str) -> Outcomes:
        """Whether attempt i at a sample is right, samples x MOST; arms are independent."""
        draw = np.random.default_rng([self.seed, zlib.crc32(arm.encode())])
        return draw.random((len(self.rates[arm]), MOST)) < self.rates[arm][:, None]

    def tallies(self, arm: str, n: int, first: int = 0) -> list[Tally]:
        """Counts of attempts `first` to `first + n` at every sample."""
        counts = self.right(arm)[:, first : first + n].sum(axis=1)
        return [Tally(int(right), n - int(right)) for right in counts]

    def stopped(self, arm: str, rule: Rule) -> list[Tally]:
        """Counts at every sample when it stops by the rule."""
        return [stop(rule, outcomes) for outcomes in self.right(arm)]


def stop(rule: Rule, outcomes: Outcomes, size: Callable[[Rule, Tally], int] | None = None) -> Tally:
    """Draw attempts until the rule is decided, in waves of `size` or else of `rule.least`."""
    tally = Tally(0, 0)
    while wave := size(rule, tally) if size else rule.least(tally):
        right = int(outcomes[tally.drawn : tally.drawn + wave].sum())
        tally = Tally(tally.right + right, tally.wrong + wave - right)
    return tally


def kept_by_toolsight(
    tools: Sequence[Tally], direct: Sequence[Tally], placebo: Sequence[Tally]
) -> Outcomes:
    """What the preset `toolsight` makes of fresh attempts at samples that tools always solved."""
    arms = {"confirm_tools": tools, "confirm_direct": direct, "placebo": placebo}
    arms |= dict.fromkeys(("tools", "direct"), [Tally(_N, 0)] * len(tools))
    rows = [
        tallies_row("", dict(zip(arms, map(astuple, tallies), strict=True)))
        for tallies in zip(*arms.values(), strict=True)
    ]
    benefits = to_table(Benefit, map(benefit_of, rows))  # noqa: F841 (named in the query)
    estimated = [c for c in Toolsight().conditions({"direct": _N, "tools": _N}) if c.arm is None]
    kept: Outcomes = duckdb.sql(f"SELECT {holds(estimated)} AS kept FROM benefits").fetchnumpy()[
        "kept"
    ]
    return kept


RIGHT, WRONG = "right", "wrong"
"""What the simulated policy answers; a sample's gold answer is `RIGHT`."""

_SAMPLE = re.compile(r"Sample (\d+):")


def question(sample: int) -> str:
    """A question that the simulated policy recognises."""
    return f"Sample {sample}: is this right or wrong?"


def arm_of(request: Request) -> str:
    """The arm that a request belongs to, as far as its prompt tells: tools or direct."""
    calls = {"</code>", "</tool_call>"} & set(request.get("stop", ()))
    return "tools" if calls else "direct"


@dataclass(frozen=True, slots=True)
class SimulatedPolicy:
    """Answers by known pass rates; the first turn of an arm with tools is `call`."""

    rates: Mapping[str, Sequence[float]]
    """By arm and sample."""
    arm: Callable[[Request], str] = arm_of
    call: str = "<code>\n```python\nshow(image_1)\n```\n</code>"
    words: int = 0
    """Words of thinking before an answer, so that replies have a length."""

    def reply(self, request: Request) -> list[Text]:
        """The replies to a request; the same seed always gets the same one."""
        found = _SAMPLE.search(text_of(request))
        assert found, "every request is about a numbered sample"
        arm, sample, n = self.arm(request), int(found[1]), request.get("n", 1)
        turns = sum(message["role"] == "assistant" for message in request["messages"])
        if arm != "direct" and turns == 0:
            return [self.call] * n
        return [self._answer(arm, sample, request["seed"] + i) for i in range(n)]

    def _answer(self, arm: str, sample: int, seed: int) -> str:
        right = random.Random(f"{arm}/{sample}/{seed}").random() < self.rates[arm][sample]
        return "so " * self.words + f"<answer>{RIGHT if right else WRONG}</answer>"


@dataclass(slots=True)
class ServiceTime:
    """How long a server with continuous batching takes: a reply waits for one of `slots`, then
    holds it for the prompt and for each of its words. `busy` over `slots` times the wall clock is
    how well the server was used."""

    slots: int = 64
    prompt_seconds: float = 0.005
    word_seconds: float = 0.001
    busy: float = 0.0
    """Slot-seconds spent."""
    most_running: int = 0
    _running: int = 0
    _free: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.slots)

    async def serve(self, request: Request, replies: Sequence[Text]) -> None:
        """Return when the last reply of a request is done."""
        await asyncio.gather(*(self._hold(reply) for reply in replies))

    async def _hold(self, reply: Text) -> None:
        text = reply if isinstance(reply, str) else reply[0]
        seconds = self.prompt_seconds + self.word_seconds * len(text.split())
        async with self._free:
            self._running += 1
            self.most_running = max(self.most_running, self._running)
            await asyncio.sleep(seconds)
            self._running -= 1
            self.busy += seconds


def request(sample: int, *, n: int, seed: int, stop: Sequence[str] = ()) -> dict[str, Any]:
    """A bare chat request about a sample, as tests of the policy itself send it."""
    messages = [{"role": "user", "content": question(sample)}]
    return {"model": "scripted", "messages": messages, "n": n, "seed": seed, "stop": list(stop)}


BEFORE_REQUESTS = (ingest, measure, find_duplicates, screen)
"""The stages of a run before the first that asks a model, in their order."""


def recipe_head(url: str, *, samples: int, in_flight: int) -> str:
    """The source and the policy of a recipe; arms and what decides are to be appended."""
    return f"""
[[sources]]
use = "tests.simulator:questions"
name = "questions"
limit = {samples}
[policy]
url = "{url}"
max_in_flight = {in_flight}
"""


def questions(*, limit: int = 100) -> Iterator[RawSample]:
    """A source of samples that the simulated policy recognises, each with a picture of its own."""
    for sample in range(limit):
        yield RawSample(
            origin_id=f"sample-{sample}",
            images=(_picture(sample),),
            question=question(sample),
            answers=(RIGHT,),
            answer_kind="text",
            category="perception",
            license="CC0-1.0",
            origin="simulator",
            evidence=(Box(0, 8, 8, 24, 24),),
        )


def _picture(number: int) -> bytes:
    """A PNG of one colour, another for every number below 2**24."""
    buffer = io.BytesIO()
    colour = (number >> 16, number >> 8 & 255, number & 255)
    Image.new("RGB", (32, 32), colour).save(buffer, format="PNG")
    return buffer.getvalue()
