"""What every grader shares: the grade, the text of a final answer, and when to abstain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

MAX_ANSWER_CHARS = 1000
"""Answers of this length or more are wrong, as in DeepEyes' reward (`vl_agent.py`): a text that
lists everything would otherwise contain the right answer too."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A grader's decision about one answer."""

    value: float | None
    """0 to 1; null when the grader abstains: the answer is neither right nor wrong."""
    extracted: str | None
    """The part of the answer that was compared; null when nothing was found in it."""
    explanation: str


Grader = Callable[[str, Sequence[str], Sequence[str]], Grade]
"""Prediction, accepted answers, options of a multiple-choice question."""


def right(extracted: str, explanation: str) -> Grade:
    return Grade(1.0, extracted, explanation)


def wrong(extracted: str | None, explanation: str) -> Grade:
    return Grade(0.0, extracted, explanation)


def abstain(explanation: str, extracted: str | None = None) -> Grade:
    return Grade(None, extracted, explanation)


def best(grades: Iterable[Grade]) -> Grade:
    """The grade against several accepted answers, whatever their order.

    One abstention outweighs any number of zeros: the answer may be that alias.
    """

    def rank(grade: Grade) -> float:
        if grade.value is None:
            return 0.0
        return grade.value or -1.0

    return max(grades, key=rank, default=abstain("no accepted answer"))


def unanimous(outcomes: Iterable[bool | None], extracted: str, what: str) -> Grade:
    """Decide only where every way to read an answer leads to the same outcome."""
    seen = set(outcomes)
    if seen == {True}:
        return right(extracted, f"{what} agree")
    if seen == {False}:
        return wrong(extracted, f"{what} differ")
    return abstain(f"{what} may agree or not", extracted)


_LEAD = re.compile(
    r"""^(?:
        (?:so|thus|therefore|hence)[,\s]+(?=the\s)
      | (?:i\s+(?:think|believe)\s+)?(?:that\s+)?(?:the\s+|my\s+)?(?:final\s+|correct\s+)?
        answer\s*(?:is\b\s*:?|:|=|[-–—]\s)\s*
      | (?:die\s+)?(?:richtige\s+|korrekte\s+)?antwort\s*(?:ist\b\s*:?|lautet\b\s*:?|:)\s*
      | (?:la\s+)?(?:bonne\s+)?réponse\s*(?:correcte\s*)?(?:est\b\s*:?|:)\s*
      | (?:la\s+)?respuesta\s*(?:correcta\s*)?(?:es\b\s*:?|:)\s*
      | (?:la\s+)?risposta\s*(?:corretta\s*)?(?:è\s*:?|:)\s*
      | (?:a\s+)?resposta\s*(?:correta\s*)?(?:é\s*:?|:)\s*
      | (?:правильный\s+)?ответ\s*[:—-]\s*
      | (?:正确|最终)?答案\s*(?:是|为|[:：])\s*[:：]?\s*
      | (?:答え|回答|正解)\s*(?:は|[:：])\s*
      | (?:정답|답)\s*(?:은|:)\s*
      | (?:الإجابة|الجواب)\s*(?:هي|هو|:)\s*
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_COPULA = re.compile(r"(?<=\S)(?:です|である|だ|입니다|이다)\s*[。.]?$")
_BOLD = re.compile(r"(?<!\S)\*\*([^*]+)\*\*(?=[\s.,:;!?]|$)")
_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
_LATEX_TEXT = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")
_MARKS = (
    ("**", "**"), ("`", "`"), ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"),
    ("<answer>", "</answer>"),
)  # fmt: skip


def final_answer(text: str) -> str:
    """The answer without what models put around it: a lead-in, `\\boxed{}`, bold or code marks."""
    text = text.strip()
    if "\\boxed" in text and (boxed := _BOXED.findall(text)):
        text = boxed[-1]
    elif "**" in text:
        text = _BOLD.sub(r"\1", text)
    previous = ""
    while text and text != previous:
        previous = text
        text = _LEAD.sub("", text, count=1).strip()
        if not text.isascii():
            text = _COPULA.sub("", text)
        text = _unmarked(text)
    return _LATEX_TEXT.sub(r"\1", text) if "\\" in text else text


def _unmarked(text: str) -> str:
    """The text without a pair of marks around all of it."""
    for left, mark in _MARKS:
        if text.startswith(left) and text.endswith(mark) and len(text) > len(left + mark):
            inside = text[len(left) : -len(mark)]
            return text if mark in inside else inside.strip()
    return text
