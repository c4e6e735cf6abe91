"""What a judge said: one structured verdict a judgement, and the verdict of several together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curation.graders.base import Grade, abstain

RIGHT, WRONG, UNSURE = "right", "wrong", "unsure"
VERDICTS = (RIGHT, WRONG, UNSURE)
UNREADABLE = "unreadable"
"""A reply in which no verdict can be read; it speaks for nothing."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "maxLength": 300},
        "verdict": {"type": "string", "enum": list(VERDICTS)},
    },
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
"""JSON schema of a reply, for servers that decode under a grammar; the reason comes first."""

STRUCTURED: dict[str, Any] = {
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "judgement", "strict": True, "schema": SCHEMA},
    }
}
"""The field of a request that asks an OpenAI-compatible server to decode under the schema."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One reply of a judge."""

    verdict: str
    """One of VERDICTS, or UNREADABLE."""
    reason: str
    """The judge's own, or the beginning of a reply that cannot be read."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What came of an answer before the judge."""

    grade: Grade
    judgements: int = 0
    agreement: float | None = None
    """Share of the judgements with the most frequent verdict; null where none was asked for."""


def read_judgement(reply: str) -> Judgement:
    """The verdict of a reply, also where a server ignored the schema and wrote around the JSON."""
    said = reply.strip()
    if not said.startswith("{"):  # Else the sign is a part of the reason.
        said = said.rpartition("</think>")[2].strip()
    found = [value for value in _objects(said) if _verdict(value) in VERDICTS]
    if len({_verdict(value) for value in found}) != 1:
        return Judgement(UNREADABLE, said[:80])
    return Judgement(_verdict(found[-1]), str(found[-1].get("reason", ""))[:300])


def _verdict(value: dict[str, Any]) -> str:
    return str(value.get("verdict", "")).strip().lower()


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object of a text, outer ones only."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(value, dict):
                yield value
        start = text.find("{", end)


def tally(judgements: Sequence[Judgement], response: str, agreement: float) -> Ruling:
    """The verdict that at least this share of the judgements gives, otherwise an abstention."""
    counts = Counter(judgement.verdict for judgement in judgements)
    verdict, votes = counts.most_common(1)[0]
    total = len(judgements)
    share = votes / total
    said = f"judge: {votes} of {total} {verdict}"
    if share < agreement:
        spread = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        return Ruling(abstain(f"judge: no agreement ({spread})", response), total, share)
    reason = next(one.reason for one in judgements if one.verdict == verdict)
    value = {RIGHT: 1.0, WRONG: 0.0}.get(verdict)
    return Ruling(Grade(value, response, f"{said}: {reason}"), total, share)
