"""Whether the answer rests on what was observed: asked again without it, the model should fail.

Over 90 % of what models of this kind solve with tools they also solve without (arXiv 2606.02357),
and answers hardly change when the crop is another one (arXiv 2510.23482).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from PIL import Image as Pillow

from curation.dialects import Action, Code, Dialect, Observed
from curation.dialects.base import IMAGE
from curation.images import decode, encode_png
from curation.verification.case import Case, Finding, unscored
from schemas import Message, Support, ToolCall

Observation = tuple[str, tuple[str, ...]]
"""The text of an observation and its images."""


def asked_again(
    case: Case, opening: Sequence[Message], observations: Sequence[Observation]
) -> tuple[list[Message], tuple[str, ...]]:
    """The conversation up to the last turn with other observations, and its images but those of
    the opening's examples."""
    messages = [*opening]
    images = [*case.image_ids]
    turns = (turn for turn in case.rollout.turns if turn.call is not None)
    for turn, (text, shown) in zip(turns, observations, strict=True):
        messages += [Message("assistant", turn.text), Message("user", text)]
        images += shown
    return messages, tuple(images)


def blanked(case: Case, put: Callable[[bytes], str]) -> Iterator[Observation]:
    """Every observation as it would be had nothing come of it: no text, white pictures."""
    for _, action, call in case.executed:
        shown = tuple(put(_white(case.gallery.read(each))) for each in call.image_ids)
        yield _nothing(case.dialect, action, len(shown)), shown


def _white(encoded: bytes) -> bytes:
    return encode_png(Pillow.new("RGB", decode(encoded).size, "white"))


def _nothing(dialect: Dialect, action: Action, images: int) -> str:
    answer = None if isinstance(action, Code) else IMAGE * images
    return dialect.observation(Observed(images=images, answer=answer))


def swapped(calls: Iterable[ToolCall]) -> Iterator[Observation]:
    """What another rollout observed."""
    return ((call.text, call.image_ids) for call in calls)


def support(counts: Support, bound: float) -> Finding:
    """At most a share of `bound` of the answers is right without the observations.

    Blanked and swapped observations are judged apart: either can show that they did not matter.
    What could not be scored counts for neither side.
    """
    shares = []
    for word, attempts, right in (
        ("blank", counts.blank_attempts, counts.blank_right),
        ("another sample's", counts.swapped_attempts, counts.swapped_right),
    ):
        if attempts:
            shares.append(
                (right / attempts, f"{right} of {attempts} right with {word} observations")
            )
    if not shares:
        return unscored("no answer without the observations could be scored")
    return Finding(max(shares)[0] <= bound, "; ".join(said for _, said in shares))
