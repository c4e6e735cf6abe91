"""A sample or a rollout in a terminal: the same cards as on pages, with a preview of the image."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

from PIL import Image as Pillow
from rich.console import Console, ConsoleRenderable, Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from curation.errors import RunError
from curation.images import BadImageError
from curation.look.cards import Attempt, Check, RolloutCard, SampleCard, read_rollouts, read_samples
from curation.look.find import find
from curation.look.page import pieces
from curation.look.pictures import outlined
from curation.runs import Run
from schemas import Box, Sample, Turn

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}
_PREVIEW = 480
"""Longer side of the image in pixels before the terminal fits it to its cells."""
_COLUMNS = 48


def show(run: Run, name: str, console: Console) -> None:
    """Print everything that a person asks of a sample, a rollout or a trajectory.

    Raises:
        RunError: nothing in the run, or more than one thing, answers to that name.
    """
    with run.connect() as db:
        kind, found = find(run, db, name)
        if kind == "sample":
            parts = _sample(run, read_samples(db, [found])[0])
        else:
            parts = _rollout(run, read_rollouts(run, db, [found])[0])
    console.print(Group(*parts))


def _sample(run: Run, card: SampleCard) -> Iterator[ConsoleRenderable]:
    yield Rule(_plain(", ".join(card.fates)), align="left")
    yield from _question(run, card.sample)
    for fault in card.faults:
        yield _plain(f"in quarantine: {fault}", "yellow")
    yield _arms(card)
    yield from map(_plain, card.rates)
    yield _plain(card.sample.sample_id, "dim")


def _rollout(run: Run, card: RolloutCard) -> Iterator[ConsoleRenderable]:
    yield Rule(_plain(", ".join(card.fates)), align="left")
    yield from _question(run, card.sample)
    yield _plain(f"{card.rollout.arm}, attempt {card.rollout.attempt}, {card.rollout.model}", "dim")
    for number, turn in enumerate(card.rollout.turns, start=1):
        yield from _turn(run, number, turn)
    yield Rule(_plain("checks"), align="left")
    yield _marked(card.attempt)
    yield _checks(card.checks)
    yield _plain(f"rollout {card.rollout.rollout_id}, sample {card.sample.sample_id}", "dim")


def _question(run: Run, sample: Sample) -> Iterator[ConsoleRenderable]:
    for index, image_id in enumerate(sample.image_ids):
        boxes = [box for box in sample.evidence if box.image == index]
        yield preview(run, image_id, boxes)
    yield _plain(sample.question, "bold")
    yield from (_plain(f"  {choice}") for choice in sample.choices)
    yield _plain(f"gold answer: {' or '.join(sample.answers)}")
    yield _plain(f"{sample.source} · {sample.origin_id} · {sample.category}", "dim")


def preview(run: Run, image_id: str, boxes: Iterable[Box] = ()) -> ConsoleRenderable:
    """The image in the best way that the terminal knows; its name where there is no terminal."""
    try:
        image = outlined(run.images.read(image_id), boxes, side=_PREVIEW)
    except (BadImageError, RunError) as error:
        return _plain(f"image not shown: {error}", "yellow")
    return _drawn(image) if _has_cells() else _plain(f"image {image_id}", "dim")


def _has_cells() -> bool:
    """There is a terminal to draw in, and one that can be asked what it knows."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.get_terminal_size().columns >= _COLUMNS


def _drawn(image: Pillow.Image) -> ConsoleRenderable:
    # Importing it asks the terminal what it can do (kitty, sixel, or half blocks in colour).
    from textual_image.renderable import Image

    return Image(image, width=_COLUMNS)


def _arms(card: SampleCard) -> ConsoleRenderable:
    if not card.arms:
        return _plain("no model answered")
    table = Table("arm", "", "prediction", "grader", "why", "rollout", box=None)
    for arm, attempts in card.arms.items():
        for one in attempts:
            sign, colour = _MARKS[one.right]
            why = one.explanation or one.stop_reason
            cells = (arm, one.text, one.grader or "", why, one.rollout_id[:8])
            name, *rest = map(_plain, cells)
            table.add_row(name, Text(sign, colour), *rest)
    return table


def _marked(attempt: Attempt) -> Text:
    sign, colour = _MARKS[attempt.right]
    why = attempt.explanation or ""
    return Text.assemble("answered ", (sign, colour), " ", _plain(attempt.text), "  ", _plain(why))


def _checks(checks: Iterable[Check]) -> ConsoleRenderable:
    table = Table("", "check", "what was seen", box=None, show_header=False)
    for check in checks:
        sign, colour = _MARKS[check.passed]
        table.add_row(Text(sign, colour), _plain(check.name), _plain(check.evidence))
    return table


def _turn(run: Run, number: int, turn: Turn) -> Iterator[ConsoleRenderable]:
    yield Rule(_plain(f"turn {number}: model, {turn.completion_tokens} tokens"), align="left")
    yield _plain(turn.text)
    if not turn.call:
        return
    failed = ", error" if turn.call.error else ""
    yield Rule(_plain(f"{turn.call.name}, {turn.call.seconds:.2f} s{failed}"), align="left")
    for text, image_id in pieces(turn.call):
        if text.strip():
            yield Padding(_plain(text.strip("\n")), (0, 0, 0, 2))
        if image_id:
            yield preview(run, image_id)


def _plain(text: str, style: str = "") -> Text:
    """Text of the data, in which brackets are no markup and control characters do nothing."""
    return Text("".join(c if c.isprintable() or c in "\n\t" else "�" for c in text), style)
