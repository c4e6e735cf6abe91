"""Placebos: the tools run, and the model is shown something else in place of what came back.

A benefit that survives them is no benefit of what the tools observe. Text is emptied in every
kind, since it can hold the answer as well as a picture can; complaints stay, since they say only
that an action failed.
"""

from __future__ import annotations

import random
from dataclasses import replace

from PIL import Image

from curation.dialects import Call, Code
from curation.dialects.base import IMAGE
from curation.images import decode, encode_png
from curation.rollouts.actions import Bench, Effect


class Empty(Bench):
    """Nothing is shown."""

    async def act(self, action: Code | Call) -> Effect:
        effect = await super().act(action)
        images = tuple(self.instead(image) for image in effect.images if self.shows)
        answer = None if effect.observed.answer is None else IMAGE * len(images)
        observed = replace(effect.observed, stdout="", answer=answer, images=len(images))
        return replace(effect, observed=observed, images=images)

    shows = False

    def instead(self, shown: bytes) -> bytes:
        """What stands for an image of the observation; encoded."""
        return shown


class Blank(Empty):
    """Every image is white, at its own size."""

    shows = True

    def instead(self, shown: bytes) -> bytes:
        return encode_png(Image.new("RGB", decode(shown).size, "white"))


class Original(Empty):
    """Every image is the question's first image again."""

    shows = True

    def instead(self, shown: bytes) -> bytes:
        return self._workspace.images[0]


class RandomCrop(Empty):
    """Every image is a region of the question's first image, of the same size (or as much of it
    as there is) at a place that has nothing to do with what was asked for."""

    shows = True

    def instead(self, shown: bytes) -> bytes:
        size, original = decode(shown).size, decode(self._workspace.images[0]).convert("RGB")
        width, height = min(size[0], original.width), min(size[1], original.height)
        draw = random.Random(shown)  # the same observation is replaced by the same region
        left = draw.randint(0, original.width - width)
        top = draw.randint(0, original.height - height)
        return encode_png(original.crop((left, top, left + width, top + height)))


KINDS: dict[str, type[Bench]] = {
    "blank": Blank,
    "original": Original,
    "random_crop": RandomCrop,
    "empty": Empty,
}
