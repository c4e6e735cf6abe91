"""Rules of every target: images that a processor can take, and placeholders that stand for them.

Like all rules but `types` they rely on `types` having passed.
"""

from __future__ import annotations

import re

from curation.dialects.base import IMAGE
from curation.exporters.checks import Candidate, Rule
from curation.exporters.settings import MIN_SIDE

MAX_ASPECT = 200
"""From this ratio on, `smart_resize` of Qwen-VL raises."""

_DEEP_MODES = re.compile(r"I|F|I;16.*")
_SPECIAL = re.compile(
    r"<\|(?:im_start|im_end|endoftext|vision_start|vision_end|vision_pad|image_pad|video_pad)\|>"
)


def _images_present(candidate: Candidate) -> str | None:
    if candidate.row["images"]:
        return None
    return (
        "images is empty, and this trainer's batches cannot hold rows with and without images:"
        " export it for llamafactory or ms-swift, which can, or drop it"
    )


def _placeholder_count(candidate: Candidate) -> str | None:
    placeholders = sum(message["content"].count(IMAGE) for message in candidate.chat)
    images = len(candidate.row["images"])
    if placeholders == images:
        return None
    return (
        f"the conversation says {IMAGE} {placeholders} times for {images} images:"
        f" reword a text that holds a literal {IMAGE}"
    )


def _placeholder_role(candidate: Candidate) -> str | None:
    for role in ("system", "assistant"):
        if any(IMAGE in content for content in candidate.turns(role)):
            return f"a {role} turn holds {IMAGE}, which would stand for an image: reword it"
    return None


def _media_words(candidate: Candidate) -> str | None:
    for message in candidate.chat:
        for word in ("<video>", "<audio>"):
            if word in message["content"]:
                return f"a {message['role']} turn holds {word}, read as a placeholder: reword it"
    return None


def _special_tokens(candidate: Candidate) -> str | None:
    for message in candidate.chat:
        if found := _SPECIAL.search(message["content"]):
            return f"a {message['role']} turn holds the control token {found[0]}: reword it"
    return None


def _image_decodes(candidate: Candidate) -> str | None:
    for number, found in enumerate(candidate.pictures):
        if isinstance(found, str):
            return f"images[{number}] cannot be decoded ({found}): replace or drop it"
    return None


def _image_side(candidate: Candidate) -> str | None:
    for field, found in candidate.sound():
        if min(found.width, found.height) < MIN_SIDE:
            return (
                f"{field} is {found.width} by {found.height} pixels and no side may be below"
                f" {MIN_SIDE}: enlarge it before it is measured"
            )
    return None


def _image_aspect(candidate: Candidate) -> str | None:
    for field, found in candidate.sound():
        if max(found.width, found.height) >= MAX_ASPECT * min(found.width, found.height):
            return (
                f"{field} is {found.width} by {found.height} pixels and the sides' ratio must be"
                f" below {MAX_ASPECT}: cut it into parts before it is measured"
            )
    return None


def _image_mode(candidate: Candidate) -> str | None:
    for field, found in candidate.sound():
        if _DEEP_MODES.fullmatch(found.mode):
            return (
                f"{field} has pixels of the mode {found.mode}, which turn white when a trainer"
                " converts them to RGB: store it with 8 bits a channel"
            )
    return None


def _image_upright(candidate: Candidate) -> str | None:
    """Some readers turn such an image (`datasets`), others do not (qwen-vl-utils)."""
    for field, found in candidate.sound():
        if not found.upright:
            return (
                f"{field} carries an EXIF rotation, which turns it under its boxes for some"
                " readers and not for others: store it upright, without the tag"
            )
    return None


def image_pixels(min_side: int, max_pixels: int | None) -> Rule:
    """The pixel budget by choice; resizing would move what boxes and code point at."""

    def find(candidate: Candidate) -> str | None:
        for field, found in candidate.sound():
            size = f"{field} is {found.width} by {found.height} pixels"
            if min(found.width, found.height) < min_side:
                return f"{size} and min_side is {min_side}: lower the setting, or drop the row"
            if max_pixels is not None and found.width * found.height > max_pixels:
                return (
                    f"{size} and max_pixels is {max_pixels:,}: shrink it in the source, before it"
                    " is measured, since resizing now would move what boxes and code point at"
                )
        return None

    return Rule("image_pixels", find)


IMAGES_PRESENT = Rule("images_present", _images_present)
"""For trainers whose batches fall over a row without an image."""

PICTURES = (
    Rule("image_decodes", _image_decodes),
    Rule("image_side", _image_side),
    Rule("image_aspect", _image_aspect),
    Rule("image_mode", _image_mode),
    Rule("image_upright", _image_upright),
)
"""Rules about images alone."""

COMMON = (
    Rule("placeholder_role", _placeholder_role),
    Rule("placeholder_count", _placeholder_count),
    Rule("media_words", _media_words),
    Rule("special_tokens", _special_tokens),
    *PICTURES,
)
"""Rules of every target with conversations."""
