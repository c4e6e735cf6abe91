"""Running a trajectory again: what came back then comes back now."""

from __future__ import annotations

import numpy as np

from curation.dialects import Call, Code
from curation.images import decode, identify
from curation.rollouts.actions import Bench, Effect
from curation.verification.case import Case, Finding
from schemas import ToolCall

_MAX_DIFFERENCE = 8
"""Of 255: what anti-aliasing of a rendered figure may differ by from one machine to the next."""
_MAX_SHARE = 0.01
"""Share of a figure's values that may differ by more."""


async def replay(case: Case, bench: Bench) -> Finding:
    """Run again in a fresh session, every action gives what it gave.

    Texts must be equal, images equal in every pixel; in a figure that code rendered 1 % of the
    values may differ by more than 8 of 255.
    """
    count = 0
    for _, action, call in case.executed:
        if not isinstance(action, Code | Call):
            continue
        count += 1
        effect = await bench.act(action)
        if case.dialect.observation(effect.observed).strip() != call.text.strip():
            return Finding(False, f"action {count} printed something else when run again")
        if not _same_images(case, call, effect):
            return Finding(False, f"action {count} showed other images when run again")
    if count == 0:
        return Finding(None, "nothing to run")
    return Finding(True, f"{count} action{'s' * (count != 1)} gave the same again")


def _same_images(case: Case, then: ToolCall, now: Effect) -> bool:
    if len(then.image_ids) != len(now.images):
        return False
    return all(
        identify(encoded).image_id == image_id
        or _same_pixels(case.gallery.read(image_id), encoded, rendered=now.name == "python")
        for image_id, encoded in zip(then.image_ids, now.images, strict=True)
    )


def _same_pixels(then: bytes, now: bytes, *, rendered: bool) -> bool:
    left, right = (np.asarray(decode(image).convert("RGB"), np.int16) for image in (then, now))
    if left.shape != right.shape:
        return False
    difference = np.abs(left - right)
    if not rendered:
        return not difference.any()
    return bool((difference > _MAX_DIFFERENCE).mean() <= _MAX_SHARE)
