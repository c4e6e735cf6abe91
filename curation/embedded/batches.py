"""Lessons to tensors: tokens, patches, M-RoPE angles, and what is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from curation.embedded.lessons import Lesson
from curation.embedded.network import MROPE_SECTION, TEXT_HEAD, THETA, VISION_HEAD
from curation.embedded.views import MERGE, View, view
from curation.embedded.vocabulary import IMAGE_PAD, START, turn_text

if TYPE_CHECKING:
    from PIL import Image
    from tokenizers import Tokenizer

_PAGE_WIDTH, _PAGES_KEPT = 550, 600
_LENGTH_STEP = 32
"""Sequences are padded to a multiple of this, so that few shapes are compiled."""


class Encoder:
    """Turns lessons into batches with one tokenizer; an image is looked at once a batch."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._pages: dict[int, tuple[Image.Image, View]] = {}
        self._pad = tokenizer.token_to_id(IMAGE_PAD)
        self._assistant = len(tokenizer.encode(f"{START}assistant\n").ids)

    def batch(self, lessons: Sequence[Lesson]) -> dict[str, Tensor]:
        """Tensors for `network.Trainee`."""
        images = {id(image): image for lesson in lessons for image in lesson.images}
        views = {key: self._view(image) for key, image in images.items()}
        longest = max(seen.tokens for seen in views.values())
        # Row 0 of the table of features is a blank, so the first view starts at 1.
        starts = {key: 1 + number * longest for number, key in enumerate(views)}
        rows = [
            self._row(lesson, [(starts[id(image)], views[id(image)]) for image in lesson.images])
            for lesson in lessons
        ]
        return {**_text_tensors(rows), **_vision_tensors(list(views.values()))}

    def _row(self, lesson: Lesson, views: Sequence[tuple[int, View]]) -> _Row:
        row = _Row()
        images = iter(views)
        for message in lesson.messages:
            ids = self.tokenizer.encode(turn_text(message)).ids
            # The reply is learned up to <|im_end|>; the newline after it is the template's.
            learned = len(ids) - 1 if message.role == "assistant" else 0
            row.turns.append(learned > 0)
            for position, token in enumerate(ids):
                if token == self._pad:
                    row.add_image(token, *next(images))
                else:
                    row.add_text(token, self._assistant <= position < learned)
        return row

    def _view(self, image: Image.Image) -> View:
        if image.width < _PAGE_WIDTH:
            return view(image)
        # Pages come again in later batches. The image is kept, so that its id stays its own.
        if len(self._pages) > _PAGES_KEPT:
            self._pages.clear()
        if id(image) not in self._pages:
            self._pages[id(image)] = image, view(image)
        return self._pages[id(image)][1]


class _Row:
    """One sequence under construction."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.positions: list[tuple[int, int, int]] = []
        self.features: list[int] = []
        self.learned: list[int] = []
        """The turn that a token is learned in, -1 where it is not learned."""
        self.turns: list[bool] = []
        """For each message so far whether it is an assistant turn."""
        self._next = 0

    def add_text(self, token: int, learned: bool) -> None:
        self.ids.append(token)
        self.positions.append((self._next,) * 3)
        self.features.append(0)
        self.learned.append(len(self.turns) - 1 if learned else -1)
        self._next += 1

    def add_image(self, token: int, start: int, seen: View) -> None:
        """Image tokens: same time, own row and column (Qwen2-VL, arXiv 2409.12191, section 2.1)."""
        for cell in range(seen.tokens):
            line, column = divmod(cell, seen.columns)
            self.ids.append(token)
            self.positions.append((self._next, self._next + line, self._next + column))
            self.features.append(start + cell)
            self.learned.append(-1)
        self._next += max(seen.rows, seen.columns)


def _text_tensors(rows: Sequence[_Row]) -> dict[str, Tensor]:
    longest = max(len(row.ids) for row in rows)
    length = -(-longest // _LENGTH_STEP) * _LENGTH_STEP
    ids = np.zeros((len(rows), length), dtype=np.int64)
    features = np.zeros((len(rows), length), dtype=np.int64)
    positions = np.zeros((len(rows), length, 3), dtype=np.float32)
    learned: list[int] = []
    targets: list[int] = []
    turns: list[int] = []
    final: list[bool] = []
    for number, row in enumerate(rows):
        size = len(row.ids)
        ids[number, :size] = row.ids
        features[number, :size] = row.features
        positions[number, :size] = row.positions
        wanted = [place for place in range(1, size) if row.learned[place] >= 0]
        learned += [number * length + place - 1 for place in wanted]
        targets += [row.ids[place] for place in wanted]
        turns += [len(final) + row.learned[place] for place in wanted]
        final += [turn == len(row.turns) - 1 for turn in range(len(row.turns))]
    return {
        "ids": torch.from_numpy(ids),
        "feature_index": torch.from_numpy(features),
        "text_angles": torch.from_numpy(_text_angles(positions)),
        "learned": torch.tensor(learned),
        "targets": torch.tensor(targets),
        # Which turn of the batch a learned token belongs to, and which turns end a lesson.
        "turns": torch.tensor(turns),
        "final": torch.tensor(final),
    }


def _text_angles(positions: np.ndarray) -> np.ndarray:
    """(batch, length, 3) positions to (batch, length, 32) angles, a section for each axis."""
    half = TEXT_HEAD // 2
    frequencies = THETA ** (-np.arange(half, dtype=np.float32) / half)
    axis = np.repeat(np.arange(3), MROPE_SECTION)
    angles: np.ndarray = positions[:, :, axis] * frequencies
    return angles


def _vision_tensors(views: Sequence[View]) -> dict[str, Tensor]:
    most = max(len(seen.patches) for seen in views)
    patches = np.zeros((len(views), most, views[0].patches.shape[1]), dtype=np.float16)
    angles = np.zeros((len(views), most, VISION_HEAD // 2), dtype=np.float32)
    mask = np.full((len(views), 1, 1, most), -np.inf, dtype=np.float32)
    for number, seen in enumerate(views):
        count = len(seen.patches)
        patches[number, :count] = seen.patches
        angles[number, :count] = _vision_angles(seen)
        mask[number, :, :, :count] = 0
    return {
        "patches": torch.from_numpy(patches),
        "vision_angles": torch.from_numpy(angles),
        "vision_mask": torch.from_numpy(mask),
    }


def _vision_angles(seen: View) -> np.ndarray:
    """Rotary angles of each patch: half of them by its row, half by its column."""
    quarter = VISION_HEAD // 4
    frequencies = THETA ** (-np.arange(quarter, dtype=np.float32) / quarter)
    grid = np.indices((seen.rows * MERGE, seen.columns * MERGE))
    tiled = grid.reshape(2, seen.rows, MERGE, seen.columns, MERGE)
    places = tiled.transpose(0, 1, 3, 2, 4).reshape(2, -1)
    angles: np.ndarray = np.concatenate([np.outer(axis, frequencies) for axis in places], axis=1)
    return angles
