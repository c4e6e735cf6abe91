"""A model that judges free-form answers, asked where rules cannot decide.

It sees question, accepted answers and response as one JSON object, so that no response can pass
for anything else; never the image, so that it compares instead of answering. Half of the
judgements see the response before the accepted answers, the other half after them, because
language models favour places (Zheng et al. 2023, arXiv 2306.05685, section 3.3).

What is found right is judged once more with no accepted answer at all. A judge that lets it pass
there too was talked into it, or goes by its own opinion, and the answer stays unscored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
PROMPT_ID = hashlib.sha256((PROMPT + json.dumps(SCHEMA, sort_keys=True)).encode()).hexdigest()[:12]
"""Identity of the prompt and the schema of the reply: part of what a judged score depends on."""


@dataclass(frozen=True, slots=True)
class Case:
    """An answer to be judged."""

    question: str
    accepted: Sequence[str]
    choices: Sequence[str]
    response: str

    def message(self, *, response_first: bool) -> str:
        """The case as JSON; the order of the accepted answers in a data set has no part in it."""
        asked = {"question": self.question}
        options = {"options": list(self.choices)} if self.choices else {}
        accepted = {"accepted": sorted(set(self.accepted))}
        response = {"response": self.response}
        fields = response | accepted if response_first else accepted | response
        return json.dumps(asked | options | fields, ensure_ascii=False)

    @property
    def seed(self) -> int:
        """The same case is judged with the same seeds, wherever it comes up."""
        text = self.message(response_first=False)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 2


@dataclass(frozen=True, slots=True)
class Judge:
    """A client of the judging model, and how its word is taken."""

    client: ModelClient
    sampling: Sampling
    attempts: int
    agreement: float
    max_chars: int

    async def rule(self, case: Case) -> Ruling:
        """The verdict on a case, or why it has none.

        Raises:
            RequestError, ServerError: the judge did not answer.
        """
        if reason := suspicion(case.response, max_chars=self.max_chars):
            return Ruling(abstain(f"not judged: {reason}", case.response))
        half = self.attempts // 2
        judgements = await self._ask(case, self.attempts - half, response_first=False)
        judgements += await self._ask(case, half, response_first=True)
        ruling = tally(judgements, case.response, self.agreement)
        if ruling.grade.value != 1:
            return ruling
        return ruling if await self._holds(case) else _talked_into(ruling)

    async def _holds(self, case: Case) -> bool:
        """Whether the judge refuses the same response where no answer is accepted."""
        control = replace(case, accepted=())
        (judgement,) = await self._ask(control, 1, response_first=False)
        return judgement.verdict not in (RIGHT, UNREADABLE)

    async def _ask(self, case: Case, n: int, *, response_first: bool) -> list[Judgement]:
        if n == 0:
            return []
        messages = [
            Message("system", PROMPT),
            Message("user", _no_image(case.message(response_first=response_first))),
        ]
        sampling = replace(self.sampling, n=n, seed=case.seed)
        completion = await self.client.complete(messages, (), sampling)
        return [read_judgement(reply.text) for reply in completion.replies]


def _no_image(text: str) -> str:
    """A response may hold the placeholder of an image, and a judge is shown none."""
    return text.replace("<image>", "<image >")


def _talked_into(ruling: Ruling) -> Ruling:
    why = "not judged: the judge lets the answer pass where none is accepted"
    return replace(ruling, grade=abstain(why, ruling.grade.extracted))
