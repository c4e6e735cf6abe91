"""Whether thoughts agree with what follows them, by the recipe's judge.

Skywork-R1V4 removes trajectories whose thought and answer, or thought and step, do not fit; Metis
(arXiv 2604.08545) has a judge look at coherence. The judge sees the texts alone, never the image,
one thought with what follows it at a time, so that a fault has a turn. What it finds right must be
wrong for it once nothing follows the thought.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from curation.dialects import Action, Answer, Call, Code
from curation.graders.base import Grade
from curation.graders.guard import suspicion_of_thought
from curation.graders.judge import fields, prompt_id
from curation.verification.case import Case, Finding, unscored
from curation.verification.checks import THOUGHTS

MAX_CHARS = 6000
"""Characters of a thought and what follows it; more is not judged."""

_ACTION, _ANSWER = THOUGHTS
_PROMPTS = {
    check: (Path(__file__).parent / "prompts" / f"{check}.txt").read_text(encoding="utf-8")
    for check in THOUGHTS
}
PROMPT_ID = prompt_id(*_PROMPTS.values())
"""Identity of both prompts: part of what a finding depends on."""
_FOLLOWS = re.compile(r"<(?:code|tool_call|answer)>")


@dataclass(frozen=True, slots=True)
class Pairing:
    """A thought and what follows it."""

    check: str
    """One of THOUGHTS."""
    question: str
    thought: str
    follows: str
    """The action or the answer as text."""
    turn: int
    """From 1."""

    @property
    def prompt(self) -> str:
        return _PROMPTS[self.check]

    @property
    def response(self) -> str:
        return self.follows

    def message(self, *, response_first: bool) -> str:
        """The pairing as JSON."""
        name = "action" if self.check == _ACTION else "answer"
        return fields(
            {"question": self.question},
            {"thought": self.thought},
            {name: self.follows},
            response_first=response_first,
        )

    def control(self) -> Pairing:
        """The thought with nothing after it, which no judge may find right."""
        return replace(self, follows="")

    def suspicion(self, max_chars: int) -> str | None:
        """Why it is not to be judged; thoughts may be longer than answers."""
        return suspicion_of_thought(f"{self.thought}\n{self.follows}", max_chars=MAX_CHARS)


Rule = Callable[[Pairing], Awaitable[Grade]]
"""The judge's word on a pairing: 1 where they agree, 0 where not, null where it is unscored."""


async def agreement(case: Case, rule: Rule) -> dict[str, Finding]:
    """The findings of THOUGHTS.

    Raises:
        RequestError, ServerError: the judge did not answer.
    """
    return {
        _ACTION: await _judged(list(_acting(case)), rule, "no thought stands before an action"),
        _ANSWER: await _judged(list(_answering(case)), rule, "no thought stands before an answer"),
    }


async def _judged(pairings: list[Pairing], rule: Rule, without: str) -> Finding:
    """The first pairing that the judge does not find right ends it: the next costs money."""
    found = Finding(None, without)
    for pairing in pairings:
        grade = await rule(pairing)
        if grade.value is None:
            return unscored(f"turn {pairing.turn}: {grade.explanation}")
        found = Finding(True, f"turn {pairing.turn}: {grade.explanation}")
        if not grade.value:
            return replace(found, passed=False, turn=pairing.turn)
    return found


def _acting(case: Case) -> Iterator[Pairing]:
    for position, action, _ in case.executed:
        if said := thought(case.texts[position]):
            yield Pairing(_ACTION, case.question, said, told(action), position + 1)


def _answering(case: Case) -> Iterator[Pairing]:
    turns = len(case.texts)
    if turns and isinstance(case.actions[-1], Answer) and (said := thought(case.texts[-1])):
        yield Pairing(_ANSWER, case.question, said, told(case.actions[-1]), turns)


def thought(text: str) -> str:
    """The words of a turn before its action or answer."""
    before, ended, _ = text.rpartition("</think>")
    words = before if ended else _FOLLOWS.split(text, maxsplit=1)[0]
    return words.replace("<think>", "").strip()


def told(action: Action) -> str:
    """An action as a judge reads it."""
    match action:
        case Code(code):
            return code.strip()
        case Call(name, arguments):
            return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
        case Answer(text):
            return text
    return ""
