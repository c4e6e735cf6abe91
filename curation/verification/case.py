"""What a check looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageChops, ImageStat

from curation.dialects import Action, Dialect
from curation.images import BadImageError, decode
from schemas import Rollout, ToolCall

_THUMBNAIL = 32
"""Side of the thumbnails that pictures are compared by, pixels."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a check passed, null when it does not apply, and what was seen."""

    passed: bool | None
    evidence: str
    turn: int | None = None
    """The turn in which the fault lies, from 1; null where it lies in none alone."""


UNSCORED = "unscored: "
"""How the evidence begins where a check applies and its outcome is not known."""


def unscored(why: str) -> Finding:
    """A finding that neither keeps a trajectory nor speaks against it."""
    return Finding(None, UNSCORED + why)


@dataclass(frozen=True, slots=True)
class Look:
    """A picture as checks compare it; the content is what lies inside a border of one colour."""

    size: tuple[int, int]
    """Width and height, pixels."""
    spread: float
    """Standard deviation of the grey values, 0 to 127.5."""
    content: tuple[int, int]
    """Width and height of the content, pixels."""
    thumbnail: NDArray[np.float64]
    """Grey values of the content, 32 by 32."""

    def resembles(self, other: Look) -> bool:
        """The same content, drawn at another size perhaps; two blank pictures are not compared."""
        if not self.spread or not other.spread:
            return False
        aspect = self.content[0] * other.content[1] / (self.content[1] * other.content[0])
        if not 0.95 < aspect < 1.05:
            return False
        return bool(np.corrcoef(self.thumbnail.ravel(), other.thumbnail.ravel())[0, 1] > 0.98)


class Gallery:
    """The pictures of many trajectories; each is decoded once while it is asked for."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        """`read` gives the encoded bytes of an image id."""
        self.read = read
        self.look = lru_cache(maxsize=256)(self._look)
        """BadImageError where the bytes are no picture."""

    def seen(self, image_id: str) -> Look | None:
        """None where the bytes are no picture, which the check `placeholders` reports."""
        try:
            return self.look(image_id)
        except BadImageError:
            return None

    def _look(self, image_id: str) -> Look:
        grey = decode(self.read(image_id)).convert("L")
        content = _content(grey)
        small = content.resize((_THUMBNAIL, _THUMBNAIL), Pillow.Resampling.BOX)
        return Look(
            grey.size, ImageStat.Stat(grey).stddev[0], content.size, np.asarray(small, np.float64)
        )


def _content(grey: Pillow.Image) -> Pillow.Image:
    """The picture without its border of one colour, such as matplotlib's margin."""
    ground = Pillow.new("L", grey.size, grey.getpixel((0, 0)))
    box = ImageChops.difference(grey, ground).getbbox()
    return grey.crop(box) if box else grey


@dataclass(frozen=True)
class Case:
    """A trajectory under check."""

    rollout: Rollout
    dialect: Dialect
    question: str
    answers: tuple[str, ...]
    """The gold answer first; empty where it is not known."""
    image_ids: tuple[str, ...]
    """The question's images; those of observations are named by the rollout."""
    gallery: Gallery
    answer_kind: str = ""
    """Empty where it is not known."""

    @cached_property
    def actions(self) -> tuple[Action, ...]:
        """What every turn asks for."""
        return tuple(self.dialect.parse(turn.text) for turn in self.rollout.turns)

    @property
    def texts(self) -> list[str]:
        """Everything that the model wrote, turn by turn."""
        return [turn.text for turn in self.rollout.turns]

    @property
    def shown(self) -> tuple[str, ...]:
        """Images that came back, in order."""
        return tuple(image_id for call in calls(self.rollout) for image_id in call.image_ids)

    @property
    def executed(self) -> Iterator[tuple[int, Action, ToolCall]]:
        """Position of the turn, action and result of everything that was executed."""
        for position, (turn, action) in enumerate(
            zip(self.rollout.turns, self.actions, strict=True)
        ):
            if turn.call is not None:
                yield position, action, turn.call


def calls(rollout: Rollout) -> Iterator[ToolCall]:
    """The executed actions, in order."""
    return (turn.call for turn in rollout.turns if turn.call is not None)
