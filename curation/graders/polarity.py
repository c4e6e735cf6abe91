"""Yes and no, by the first word."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curation.graders.base import Grade, abstain, best, final_answer, right, wrong
from curation.graders.normal import normal_form

_AFFIRMATIVE = (
    "yes yeah yep true correct right sure 1 y ja oui si sí sì vrai wahr richtig sim verdadero vero"
    " verdadeiro да tak evet iya نعم हाँ हां 是 是的 对 對 对的 有 はい 예 네"
)
_NEGATIVE = (
    "no nope nah false incorrect wrong 0 n nein non nee não faux falsch falso нет nie hayır tidak"
    " bukan لا नहीं 否 不 不是 没有 不对 错 いいえ 아니요 아니오"
)
YES = frozenset(_AFFIRMATIVE.split())
NO = frozenset(_NEGATIVE.split())
# "No idea" is no answer.
_NO_ANSWER = re.compile(r"^no (?:idea|clue|answer|information|way to|(?:one|1) knows)\b")
_AFFIRMED = re.compile(r"^(?:是的|是|对|對|はい)[，,。!！、]")
_DENIED = re.compile(r"^(?:不是|不|没有|否|いいえ)[，,。!！、]")


def yes_no(prediction: str, answers: Sequence[str], choices: Sequence[str] = ()) -> Grade:
    """The same polarity as the accepted answer; abstains where the first word has none."""
    said = polarity(final_answer(prediction))
    return best(_against(said, polarity(final_answer(answer)), answer) for answer in answers)


def _against(said: bool | None, gold: bool | None, answer: str) -> Grade:
    if gold is None:
        return abstain(f"the accepted answer {answer!r} is neither yes nor no")
    if said is None:
        return abstain("the answer begins with neither yes nor no")
    shown = "yes" if said else "no"
    return right(shown, "same polarity") if said == gold else wrong(shown, "other polarity")


def polarity(text: str) -> bool | None:
    """True for yes, False for no, None for anything else."""
    text = text.strip()
    if _AFFIRMED.match(text) or _DENIED.match(text):
        return bool(_AFFIRMED.match(text))
    words = normal_form(text)
    first, *others = words.split()[:3] or [""]
    if _NO_ANSWER.match(words) or (first in YES) == (first in NO):
        return None
    if any(word in (NO if first in YES else YES) and len(word) > 1 for word in others):
        return None  # "yes and no", "yes or no", "no, yes"
    # A lone digit or letter counts only by itself: "1 car" is no yes.
    if len(first) == 1 and first.isascii() and words != first:
        return None
    return first in YES
