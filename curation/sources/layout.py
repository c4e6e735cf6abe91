"""How the rows of a table are to be read: a recipe's settings, or a preset with them over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from curation.errors import RecipeError
from curation.sources.boxes import BOX_FORMATS, BOX_SCALES
from schemas.sample import ANSWER_KINDS

Cells = Mapping[str, object]
"""One row: column names to plain Python values."""

_YES_NO = {"yes", "no", "true", "false"}
_NUMBER = re.compile(r"[-+]?[$€£]?\s?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?\s?%?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of the columns; `reward_model.ground_truth` and `prompt.-1.content` reach inside."""

    question: str = "question"
    """The text that is asked."""
    answer: str = "answer"
    """A single text or number. Not read when `answers` is given."""
    answers: str | None = None
    """A list, the gold answer first and its aliases after it."""
    image: tuple[str, ...] = ("image",)
    """One image or a list of them; several columns make several images."""
    options: str | None = None
    """Options of a multiple choice. Without it they are looked for inside the question."""
    boxes: str | None = None
    """Evidence boxes in the first image: one box or a list of them."""
    id: str | None = None
    """Must be unique; rows are numbered without it."""
    category: str | None = None
    """Such as perception, chart or document; rules can differ by it."""
    solution: str | None = None
    """A worked solution as text: a chain of thought with its answer at the end. Where it is named,
    no image is looked for unless `image` is named, too."""
    metadata: tuple[str, ...] = ()
    """Columns to keep as they are."""

    def names(self) -> tuple[str, ...]:
        """Every column that is read, in no particular order."""
        answer = self.answers or self.answer
        rest = (self.options, self.boxes, self.id, self.category, self.solution)
        named = (self.question, answer, *self.image, *rest, *self.metadata)
        return tuple(name for name in named if name is not None)


def kind_of(answer: str) -> str:
    """The answer kind that the look of a gold answer suggests; a choice is told by its options."""
    if answer.casefold() in _YES_NO:
        return "yes_no"
    return "number" if any(map(str.isdigit, answer)) and _NUMBER.fullmatch(answer) else "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the rows of one source are read."""

    columns: Columns = field(default_factory=Columns)
    category: str = "perception"
    """Of every row, unless a column says it."""
    answer_kind: str = "auto"
    """One of ANSWER_KINDS, or auto: by the look of each answer."""
    license: str = "unknown"
    box_format: str = "xyxy"
    box_scale: str = "pixels"
    max_answer_chars: int = 999
    """Longer answers are faults; DeepEyes' reward takes 1000 characters for an attack on its judge
    (verl/utils/reward_score/vl_agent.py)."""
    kind_of: Callable[[str], str] = kind_of
    prepare: Callable[[Cells, Path], Cells] | None = None
    """Columns made of others before `columns` are looked up; gets the image root as well."""
    reads: tuple[str, ...] | None = None
    """What `prepare` and `columns` need from the file; by default what `columns` name."""
    optional: tuple[str, ...] = ()
    """Columns that a file may lack."""

    def needed(self) -> tuple[str, ...]:
        """The columns to read, by their names in the file or as paths into them."""
        return self.columns.names() if self.reads is None else self.reads


def make_layout(
    base: Layout | None, columns: Mapping[str, object] | None, **settings: Any
) -> Layout:
    """A preset's layout, or the default one, with a recipe's settings over it.

    Settings that are None are left as they are. Raises `RecipeError` for an unknown column role or
    an unknown value.
    """
    layout = base or Layout()
    if columns and layout.prepare is not None:
        raise RecipeError(
            "columns cannot be changed in a preset that computes them; "
            "leave out either preset or columns"
        )
    given = {name: value for name, value in settings.items() if value is not None}
    layout = replace(layout, columns=_map_columns(layout.columns, columns or {}), **given)
    _check_value("answer_kind", layout.answer_kind, ("auto", *ANSWER_KINDS))
    _check_value("box_format", layout.box_format, BOX_FORMATS)
    _check_value("box_scale", layout.box_scale, BOX_SCALES)
    return layout


def _map_columns(base: Columns, given: Mapping[str, object]) -> Columns:
    roles = [item.name for item in fields(Columns)]
    changes: dict[str, Any] = {}
    for role, name in given.items():
        if role not in roles:
            raise RecipeError(f"columns.{role} is unknown; columns has {', '.join(roles)}")
        several = role in ("image", "metadata")
        names = [name] if isinstance(name, str) else name
        if not isinstance(names, list | tuple) or not all(isinstance(item, str) for item in names):
            raise RecipeError(f"columns.{role} = {name!r} is no column name; give it as text")
        if len(names) != 1 and not several:
            raise RecipeError(f"columns.{role} takes one column name, not {len(names)}")
        changes[role] = tuple(names) if several else names[0]
    if "solution" in changes:
        changes = {"image": (), **changes}
    return replace(base, **changes)


def _check_value(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecipeError(f"{name} = {value!r} is unknown; it is one of {', '.join(allowed)}")
