"""What a teacher is told beside the dialect's prompt: a system message and examples of its own.

Both are files that the recipe names, and part of the prompt's hash. Neither is part of a
trajectory, which opens with the prompt that the trainer will render.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curation.audit.conversations import Conversation, read_conversations
from curation.dialects.base import IMAGE
from curation.errors import RecipeError, SourceError
from curation.images import BadImageError, ImageStore, identify
from curation.models.messages import ImagePart
from curation.recipes.models import Model, Teacher
from curation.sources.base import BadRow
from schemas import Message

SYSTEM = "{system}"
"""Stands for the dialect's system message in a prompt file."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How a model's prompt differs from the dialect's."""

    system: str | None = None
    """Null leaves the dialect's own."""
    examples: tuple[Message, ...] = ()
    """Conversations that stand between the system message and the question."""
    images: tuple[ImagePart, ...] = ()
    """Of the examples, in the order of their placeholders."""
    mark: str = ""
    """Hash of the images, which no message shows."""

    def told(self, opening: Sequence[Message]) -> list[Message]:
        """The dialect's opening as this model is told it."""
        system, *rest = opening
        if self.system is not None:
            system = Message("system", self.system.replace(SYSTEM, system.content))
        return [system, *self.examples, *rest]

    def kept(self, store: ImageStore) -> Wording:
        """The same with its images in a store, where a server of our own may read them."""
        paths = (store.path(store.put(image)) for image in self.images if isinstance(image, bytes))
        return replace(self, images=tuple(paths))


def wording(model: Model) -> Wording:
    """What the recipe's files have this model told.

    Raises:
        RecipeError: a file cannot be read, or an example is no conversation with all its images.
    """
    if not isinstance(model, Teacher):
        return Wording()
    system = _system(model) if model.prompt else None
    messages: list[Message] = []
    images: list[bytes] = []
    for example in _examples(model):
        messages += [message for message in example.messages if message.role != "system"]
        images += example.images
    hashes = [hashlib.sha256(image).hexdigest() for image in images]
    mark = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:12] if images else ""
    return Wording(system, tuple(messages), tuple(images), mark)


def _system(teacher: Teacher) -> str:
    try:
        text = Path(teacher.prompt or "").read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"the prompt of {teacher.name} cannot be read ({error}): correct its `prompt`"
        ) from None
    if IMAGE in text:
        raise RecipeError(f"the prompt {teacher.prompt} holds {IMAGE}, which no image stands for")
    return text


def _examples(teacher: Teacher) -> Iterator[Conversation]:
    if teacher.exemplars is None:
        return
    try:
        yield from _checked(read_conversations(Path(teacher.exemplars)), teacher.exemplars)
    except SourceError as error:
        raise RecipeError(f"the exemplars of {teacher.name}: {error}") from None


def _checked(rows: Iterable[Conversation | BadRow], file: str) -> Iterator[Conversation]:
    for row in rows:
        if isinstance(row, BadRow):
            raise RecipeError(f"the exemplars {file} hold a bad row: {row.message}")
        if row.image_fault:
            fault = row.image_fault.partition(";")[0]
            raise RecipeError(f"the exemplar {row.position}: {fault}; paths begin at its folder")
        wanted = sum(message.content.count(IMAGE) for message in row.messages)
        if wanted != len(row.images):
            raise RecipeError(
                f"the exemplar {row.position} has {len(row.images)} images for {wanted} {IMAGE}:"
                " give it one for each"
            )
        for image in row.images:
            _check_image(row.position, image)
        roles = [message.role for message in row.messages if message.role != "system"]
        if roles != ["user", "assistant"] * (len(roles) // 2) or not roles:
            raise RecipeError(
                f"the exemplar {row.position} does not go from user to assistant and end with the"
                " assistant's answer"
            )
        yield row


def _check_image(position: str, image: bytes) -> None:
    try:
        identify(image)
    except BadImageError as error:
        raise RecipeError(f"an image of the exemplar {position} cannot be used: {error}") from None
