"""A row of a table as a sample: which column is what, and how its cells are written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path

from curation.sources.base import BadRow, RawSample, Row
from curation.sources.boxes import read_boxes
from curation.sources.faults import RowFault
from curation.sources.image_values import image_bytes
from curation.sources.layout import Cells, Columns, Layout
from curation.sources.options import (
    LETTERS,
    gold_option,
    lettered,
    options_inside,
    parse_options,
)

# Before the question in any form; after it only on lines of their own, for there they may be meant.
_END_PLACEHOLDERS = re.compile(r"\A(\s*<image>)+\s*|\s*\n\s*(<image>\s*)+\Z")


def cell(cells: Cells, name: str) -> object:
    """The value of a column, or of a path into it such as `reward_model.ground_truth`.

    None where the row has no such thing. A column whose very name holds dots comes first.
    """
    if name in cells:
        return cells[name]
    value: object = cells
    for part in name.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and re.fullmatch(r"-?\d+", part):
            position = int(part)
            value = value[position] if -len(value) <= position < len(value) else None
        else:
            return None
    return value


def read_rows(
    rows: Iterable[tuple[str, Cells]], layout: Layout, *, origin: str, root: Path, seen: set[int]
) -> Iterator[Row]:
    """Samples and bad rows of (position, cells) pairs.

    `seen` holds digests of the ids met so far and is kept over the files of a source.
    """
    for position, cells in rows:
        try:
            yield read_row(cells, layout, position=position, origin=origin, root=root, seen=seen)
        except RowFault as fault:
            yield BadRow(position, fault.error, f"{position}: {fault.message}.")


def read_row(
    cells: Cells, layout: Layout, *, position: str, origin: str, root: Path, seen: set[int]
) -> RawSample:
    """One row as a sample; raises `RowFault`."""
    if layout.prepare is not None:
        cells = {**cells, **layout.prepare(cells, root)}
    columns = layout.columns
    question = _question(cell(cells, columns.question), columns.question)
    answers = _answers(cells, layout)
    question, answers, choices = _choices(cells, layout, question, answers)
    kind = "choice" if choices else layout.kind_of(answers[0])
    images = image_bytes([cell(cells, name) for name in columns.image], root)
    solution = (
        _solution(cell(cells, columns.solution), columns.solution) if columns.solution else ""
    )
    if not images and not solution:
        raise RowFault("missing_image", "the row's list of images is empty; add an image")
    boxes = cell(cells, columns.boxes) if columns.boxes else None
    category = cell(cells, columns.category) if columns.category else None
    return RawSample(
        origin_id=_origin_id(cells, columns, position, seen),
        images=images,
        question=question,
        answers=answers,
        answer_kind=kind if layout.answer_kind == "auto" else layout.answer_kind,
        category=str(category or layout.category),
        license=layout.license,
        origin=origin,
        choices=choices,
        evidence=read_boxes(boxes, images[0], layout.box_format, layout.box_scale)
        if images
        else (),
        metadata={
            name: _plain(value)
            for name in columns.metadata
            if (value := cell(cells, name)) is not None
        },
        solution=solution,
    )


def _question(value: object, column: str) -> str:
    """The question without the image placeholders that some layouts put before or after it."""
    if value is None or value == "":
        raise RowFault("missing_question", f"column {column!r} holds no question; add one")
    if not isinstance(value, str):
        raise RowFault(
            "question_type",
            f"column {column!r} holds {type(value).__name__} where a question's text belongs; "
            "map the column that holds the question",
        )
    text = _END_PLACEHOLDERS.sub("", value).strip()
    if not text:
        raise RowFault("missing_question", f"column {column!r} holds only blanks; add a question")
    if "<image>" in text:
        raise RowFault(
            "placeholder_in_question",
            "the question has a literal <image> in its midst, which trainers replace by an image; "
            "word it differently",
        )
    return text


def _solution(value: object, column: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RowFault(
            "missing_solution",
            f"column {column!r} holds no text of a solution; map the column that holds it, or a"
            " path into it such as messages.-1.content",
        )
    return value


def _answers(cells: Cells, layout: Layout) -> tuple[str, ...]:
    columns = layout.columns
    if columns.answers is None:
        value = cell(cells, columns.answer)
        if isinstance(value, list):
            raise RowFault(
                "answer_is_list",
                f"column {columns.answer!r} holds a list of {len(value)}; "
                "map it as answers, or keep one answer",
            )
        values = [value]
    else:
        value = cell(cells, columns.answers)
        values = value if isinstance(value, list) else [value]
    texts = [_answer_text(item) for item in values if item is not None]
    if not texts:
        raise RowFault("missing_answer", "the row has no answer; add one or remove the row")
    if not texts[0]:
        raise RowFault("empty_answer", "the gold answer is blank; fill it in or remove the row")
    longest = max(map(len, texts))
    if longest > layout.max_answer_chars:
        raise RowFault(
            "long_answer",
            f"an answer has {longest} characters and cannot be graded; "
            f"shorten it to {layout.max_answer_chars} or raise max_answer_chars",
        )
    return tuple(dict.fromkeys(text for text in texts if text))


def _answer_text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float() if math.isfinite(value) and value.is_integer():
            return str(int(value))
        case float() if math.isnan(value):
            return ""
        case str() | int() | float() | Decimal():
            return str(value).strip()
    raise RowFault(
        "answer_type",
        f"an answer is {type(value).__name__}, not text or a number; "
        "map the column that holds the answer, or a path into it such as answer.text",
    )


def _choices(
    cells: Cells, layout: Layout, question: str, answers: tuple[str, ...]
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Question with its options, answers with the gold letter first, and the option texts."""
    inside = options_inside(question) if layout.answer_kind in ("auto", "choice") else ()
    column = layout.columns.options
    options = parse_options(cell(cells, column)) if column else ()
    if options is None or len(options) > len(LETTERS):
        raise RowFault(
            "options_type",
            f"column {column!r} holds no list of 1 to {len(LETTERS)} options; "
            "write them as a list of texts",
        )
    if not options:
        # Lettered lines may be part of an ordinary question: the answer must be one of them.
        options = inside if gold_option(answers[0], inside) is not None else ()
    if not options and layout.answer_kind == "choice":
        raise RowFault(
            "missing_options",
            "the row has no options to choose from; map options, or set another answer_kind",
        )
    if not options:
        return question, answers, ()
    gold = gold_option(answers[0], options)
    if gold is None:
        raise RowFault(
            "answer_not_an_option",
            f"the answer {answers[0][:80]!r} is none of the {len(options)} options; "
            "give the letter or the text of one",
        )
    shown = len(inside) == len(options)
    text = question if shown else f"{question}\n{lettered(options)}"
    return text, (LETTERS[gold], options[gold]), options


def _origin_id(cells: Cells, columns: Columns, position: str, seen: set[int]) -> str:
    value = cell(cells, columns.id) if columns.id else None
    if value is None or value == "":
        return position
    name = str(value)
    digest = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
    if digest in seen:
        raise RowFault(
            "duplicate_id",
            f"the id {name[:80]!r} was met before; map a column that is unique, or none",
        )
    seen.add(digest)
    return name


def _plain(value: object) -> object:
    """A cell as JSON can hold it; bytes do not belong there and are told by their length."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case bytes():
            return f"{len(value)} bytes"
        case float() if not math.isfinite(value):
            return str(value)
        case None | str() | bool() | int() | float():
            return value
    return str(value)
