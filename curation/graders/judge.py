"""A model that judges free-form answers, asked where rules cannot decide.

It sees question, accepted answers and response as one JSON object, so that no response can pass
for anything else; never the image, so that it compares instead of answering. Half of the
judgements see the response before the accepted answers, the other half after them, because
language models favour places (Zheng et al. 2023, arXiv 2306.05685, section 3.3).

What is found right is judged once more with no accepted answer at all. A judge that lets it pass
there too was talked into it, or goes by its own opinion, and the answer stays unscored.

Thoughts (`curation.verification.agreement`) are judged in the same way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from curation.graders.base import abstain
from curation.graders.guard import suspicion
from curation.graders.judgement import (
    RIGHT,
    SCHEMA,
    UNREADABLE,
    Judgement,
    Ruling,
    read_judgement,
    tally,
)
from curation.models import ModelClient, Sampling
from schemas import Message

PROMPT = (Path(__file__).parent / "prompts" / "judge.txt").read_text(encoding="utf-8")


def prompt_id(*prompts: str) -> str:
    """Identity of prompts and of the schema of the reply."""
    text = "".join(prompts) + json.dumps(SCHEMA, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


PROMPT_ID = prompt_id(PROMPT)
"""Identity of the prompt and the schema of the reply: part of what a judged score depends on."""


class Matter(Protocol):
    """What a judge is asked about."""

    @property
    def prompt(self) -> str: ...

    @property
    def response(self) -> str:
        """What is judged, as a grade has it."""
        ...

    def message(self, *, response_first: bool) -> str:
        """The matter as JSON."""
        ...

    def control(self) -> Matter:
        """The same with nothing to agree with, which must not be found right."""
        ...

    def suspicion(self, max_chars: int) -> str | None:
        """Why it is not to be judged; None where nothing speaks against it."""
        ...


def fields(
    first: dict[str, object],
    one: dict[str, object],
    response: dict[str, object],
    *,
    response_first: bool,
) -> str:
    """A matter as JSON; what is compared stands in either order."""
    compared = response | one if response_first else one | response
    return json.dumps(first | compared, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Case:
    """An answer to be judged."""

    question: str
    accepted: Sequence[str]
    choices: Sequence[str]
    response: str

    def message(self, *, response_first: bool) -> str:
        """The case as JSON; the order of the accepted answers in a data set has no part in it."""
        asked: dict[str, object] = {"question": self.question}
        return fields(
            asked | ({"options": list(self.choices)} if self.choices else {}),
            {"accepted": sorted(set(self.accepted))},
            {"response": self.response},
            response_first=response_first,
        )

    @property
    def prompt(self) -> str:
        return PROMPT

    def control(self) -> Case:
        """The same response where no answer is accepted."""
        return replace(self, accepted=())

    def suspicion(self, max_chars: int) -> str | None:
        return suspicion(self.response, max_chars=max_chars)


@dataclass(frozen=True, slots=True)
class Judge:
    """A client of the judging model, and how its word is taken."""

    client: ModelClient
    sampling: Sampling
    attempts: int
    agreement: float
    max_chars: int

    async def rule(self, case: Matter) -> Ruling:
        """The verdict on a case, or why it has none.

        Raises:
            RequestError, ServerError: the judge did not answer.
        """
        if reason := case.suspicion(self.max_chars):
            return Ruling(abstain(f"not judged: {reason}", case.response))
        half = self.attempts // 2
        judgements = await self._ask(case, self.attempts - half, response_first=False)
        judgements += await self._ask(case, half, response_first=True)
        ruling = tally(judgements, case.response, self.agreement)
        if ruling.grade.value != 1:
            return ruling
        return ruling if await self._holds(case) else _talked_into(ruling)

    async def _holds(self, case: Matter) -> bool:
        """Whether the judge refuses the same response where there is nothing to agree with."""
        (judgement,) = await self._ask(case.control(), 1, response_first=False)
        return judgement.verdict not in (RIGHT, UNREADABLE)

    async def _ask(self, case: Matter, n: int, *, response_first: bool) -> list[Judgement]:
        if n == 0:
            return []
        messages = [
            Message("system", case.prompt),
            Message("user", _no_image(case.message(response_first=response_first))),
        ]
        sampling = replace(self.sampling, n=n, seed=_seed(case))
        completion = await self.client.complete(messages, (), sampling)
        return [read_judgement(reply.text) for reply in completion.replies]


def _seed(case: Matter) -> int:
    """The same case is judged with the same seeds, wherever it comes up."""
    text = case.message(response_first=False)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 2


def _no_image(text: str) -> str:
    """A response may hold the placeholder of an image, and a judge is shown none."""
    return text.replace("<image>", "<image >")


def _talked_into(ruling: Ruling) -> Ruling:
    why = "not judged: the judge lets it pass where there is nothing that it could agree with"
    return replace(ruling, grade=abstain(why, ruling.grade.extracted))
