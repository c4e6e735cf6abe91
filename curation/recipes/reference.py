"""Every key of a recipe with its type, default, unit and meaning, gathered from the code.

Types and defaults are those of the records and signatures that a recipe is bound to, meanings are
their docstrings; so there is nothing here that could go stale.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import filters
from curation.exporters import TARGETS, ExportSettings
from curation.graders import GRADERS, JUDGE
from curation.recipes import file
from curation.recipes.arms import ARM_TABLES, read_arms
from curation.recipes.meanings import field_meanings, first_paragraph, setting_meanings, unit_of
from curation.recipes.presets import PRESETS
from curation.recipes.recipe import Recipe
from curation.recipes.settings import keyword_parameters, resolve, toml_type, unknown
from curation.sources.layout import Columns
from schemas.sample import ANSWER_KINDS


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table."""

    name: str
    type: str
    default: str
    """As TOML; empty where there is none."""
    unit: str
    meaning: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the file, in one of its shapes."""

    table: str
    """Name of the top-level key; empty for the top level itself."""
    header: str
    """As it stands in the file."""
    meaning: str
    keys: tuple[Key, ...]
    shape: str = ""
    """What tells it from the other shapes of the table, such as the name of a source."""


def reference() -> list[Section]:
    """All sections, in the order in which a file is read."""
    hints = typing.get_type_hints(file.File)
    said = field_meanings(file.File)
    plain = [name for name, hint in hints.items() if not _is_table(hint)]
    top = tuple(key for key in record_keys(file.File) if key.name in plain)
    sections = [Section("", "the top level", "Before the first table.", top)]
    for name in (name for name in hints if name not in plain):
        shape = "[[{}]]" if typing.get_origin(hints[name]) is tuple else "[{}]"
        sections += _sections(name, shape.format(name), said.get(name, ""))
    return sections


def _is_table(hint: Any) -> bool:
    return "Mapping" in str(hint)


def _sections(name: str, header: str, meaning: str) -> Iterator[Section]:
    """The shapes of a table: by its catalogue, or the record that the recipe has of that name."""
    if name in _CATALOGUES:
        yield from _CATALOGUES[name](header, meaning)
        return
    hints = typing.get_type_hints(Recipe)
    hint = hints[name] if name in hints else hints[f"{name}s"]  # one table of what may be several
    record = _record(hint)
    assert record is not None, f"{name} is a table and the recipe has no record for it"
    yield Section(name, header, meaning, record_keys(record))
    for key, inner in typing.get_type_hints(record).items():
        if below := _record(inner):
            shown = f"{header} {key} = {{ ... }}"
            yield Section(name, shown, first_paragraph(below), record_keys(below), key)


def _record(hint: Any) -> type | None:
    """The dataclass that an annotation names, perhaps among others or in a tuple."""
    kinds = (hint, *typing.get_args(hint))
    found = (kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind))
    return next(found, None)


def _sources(header: str, meaning: str) -> Iterator[Section]:
    yield Section("sources", header, meaning, (_USE, _NAME, _LIMIT))
    yield from _functions("sources", header, file.SOURCES, file.SOURCES)
    shown = "columns = { ... }"
    yield Section("sources", shown, first_paragraph(Columns), record_keys(Columns), "columns")


def _filters(header: str, meaning: str) -> Iterator[Section]:
    yield Section("filters", header, meaning, (_USE, _NAME))
    catalogue = {name: f"filters:{name}" for name in filters.__all__}
    yield from _functions("filters", header, filters.__all__, catalogue)


def _tools(header: str, meaning: str) -> Iterator[Section]:
    yield Section("tools", header, meaning, (_USE, _NAME))
    yield from _functions("tools", header, file.TOOLS, file.TOOLS)


def _functions(
    table: str, header: str, names: Iterable[str], catalogue: dict[str, str]
) -> Iterator[Section]:
    for name in names:
        function = resolve(name, catalogue, table, table)
        shown = f'{header} use = "{name}"'
        yield Section(table, shown, first_paragraph(function), function_keys(function), name)


def _arms(header: str, meaning: str) -> Iterator[Section]:
    """Each arm has defaults of its own, some of them those of `tools`."""
    yield Section("arms", header, meaning, ())
    default = read_arms({name: {} for name in ARM_TABLES}).run()
    for name, record in ARM_TABLES.items():
        keys = record_keys(record, default.get(name))
        yield Section("arms", f"[arms.{name}]", first_paragraph(record), keys, name)


def _presets(header: str, meaning: str) -> Iterator[Section]:
    yield Section("decide", header, meaning, (_choice("preset", PRESETS),))
    for preset, record in PRESETS.items():
        shown = f'{header} preset = "{preset}"'
        yield Section("decide", shown, first_paragraph(record), record_keys(record), preset)


def _exports(header: str, meaning: str) -> Iterator[Section]:
    keys = (_choice("target", TARGETS), *record_keys(ExportSettings))
    yield Section("exports", header, meaning, keys)


def _graders(header: str, meaning: str) -> Iterator[Section]:
    known = f"One of {', '.join((*GRADERS, JUDGE))}."
    keys = (Key(kind, "string", f'"{kind}"', "", known) for kind in ANSWER_KINDS)
    yield Section("graders", header, meaning, tuple(keys))


def _choice(name: str, known: Iterable[str]) -> Key:
    return Key(name, "string", "", "", f"One of {', '.join(known)}.", required=True)


_USE = Key(
    "use", "string", "", "", "A name, or package.module:function of your own.", required=True
)
_NAME = Key("name", "string", "", "", "What the run calls it; by default what `use` says.")
_LIMIT = Key("limit", "whole number", "", "rows", "The most that are taken; by default all.")
"""Keys beside the settings of what `use` names."""

_CATALOGUES: dict[str, Callable[[str, str], Iterator[Section]]] = {
    "sources": _sources,
    "filters": _filters,
    "arms": _arms,
    "decide": _presets,
    "tools": _tools,
    "graders": _graders,
    "exports": _exports,
}
"""Tables that have more than one shape, or that are bound to more than one record."""


def record_keys(record: type, default: object = None) -> tuple[Key, ...]:
    """The keys of a table that is bound to a dataclass; `default` is what an empty table becomes,
    where that is not what the record says."""
    hints, said = typing.get_type_hints(record), field_meanings(record)
    return tuple(
        _key(
            field.name,
            hints[field.name],
            getattr(default, field.name) if default else _default(field),
            said.get(field.name, ""),
        )
        for field in dataclasses.fields(record)
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def function_keys(function: Callable[..., Any]) -> tuple[Key, ...]:
    """The settings of a source, filter or tool."""
    hints = typing.get_type_hints(function)
    parameters = keyword_parameters(function)
    said = setting_meanings(function, parameters)
    return tuple(
        _key(name, hints[name], parameter.default, said[name])
        for name, parameter in parameters.items()
    )


def _key(name: str, hint: Any, default: Any, meaning: str) -> Key:
    kind = _type(hint)
    unit = unit_of(name, meaning) if kind in (toml_type(int), toml_type(float)) else ""
    required = default in (dataclasses.MISSING, inspect.Parameter.empty)
    silent = required or default is None or dataclasses.is_dataclass(default)
    shown = "" if silent else file.toml_value(default)
    return Key(name, kind, shown, unit, meaning, required)


def _type(hint: Any) -> str:
    """An annotation in the words of TOML."""
    members = [_type(each) for each in typing.get_args(hint) if each not in (type(None), ...)]
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        return toml_type(dict)
    if origin in (tuple, list, Sequence):
        return f"list of {members[0]}s"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(dict.fromkeys(members))
    return toml_type(origin or hint)


def find(sections: Iterable[Section], table: str) -> list[Section]:
    """The sections of a table, or one shape of it, as in `sources.hub`.

    Raises:
        RecipeError: there is no such table.
    """
    sections = list(sections)
    name, _, shape = table.partition(".")
    found = [each for each in sections if each.table == name and shape in ("", each.shape)]
    if not found:
        known = [".".join(filter(None, (each.table, each.shape))) for each in sections]
        raise unknown("table", table, [name for name in known if name], "recipe")
    return found


def overview(sections: Iterable[Section]) -> str:
    """A Markdown table: one line for each table of the file, with the names of its keys."""
    lines = ["| table | what it says | keys |", "|---|---|---|"]
    for _, group in itertools.groupby(sections, key=lambda section: section.table):
        first, *shapes = group
        keys = _quoted(key.name for key in first.keys)
        if shapes:
            said = _quoted(section.shape for section in shapes)
            keys = "; ".join(filter(None, (keys, f"and those of {said}")))
        header = f"`{first.header}`" if first.table else first.header
        lines.append(f"| {header} | {first.meaning} | {keys} |")
    return "\n".join(lines)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
