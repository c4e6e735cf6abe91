"""From the name of a filter in a recipe to a function that is sure to run."""

from __future__ import annotations

import difflib
import importlib
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from schemas import Measure, Sample, arrow_schema

COLUMNS: Mapping[str, pa.DataType] = {
    "answer": pa.string(),
    **{field.name: field.type for record in (Measure, Sample) for field in arrow_schema(record)},
}
"""Columns that a filter can take by parameter name; `answer` is the first gold answer."""

FilterFunction = Callable[..., pa.BooleanArray]


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with its settings."""

    name: str
    function: FilterFunction
    columns: tuple[str, ...]
    settings: Mapping[str, object]
    """All of them, the defaults included."""

    def __call__(self, table: pa.Table) -> pa.BooleanArray:
        """True keeps a row, null means that it was not measured; one value a row of the table."""
        columns = [_one_array(table.column(name)) for name in self.columns]
        return self.function(*columns, **self.settings)


def bind(name: str, settings: Mapping[str, object] | None = None) -> Filter:
    """The filter of that name, a member of `filters.__all__` or "module:function".

    ValueError, naming the alternatives, for an unknown filter, column or setting, for a missing
    setting or one of the wrong type, and for settings that the filter itself refuses.
    """
    function = _resolve(name)
    columns = columns_of(function)
    chosen = _checked_settings(name, function, settings or {})
    bound = Filter(name, function, columns, chosen)
    _try_out(bound)
    return bound


def columns_of(function: FilterFunction) -> tuple[str, ...]:
    """The columns that a filter takes: its positional parameters; ValueError for unknown ones."""
    names = tuple(
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    )
    label = getattr(function, "__name__", repr(function))
    if not names:
        raise ValueError(f"filter {label}: it takes no column")
    for name in names:
        if name not in COLUMNS:
            raise ValueError(f"filter {label}: no column {name!r}; {_alternatives(name, COLUMNS)}")
    return names


def _resolve(name: str) -> FilterFunction:
    import filters

    module, colon, attribute = name.partition(":")
    if not colon:
        if name not in filters.__all__:
            raise ValueError(f"no filter {name!r}; {_alternatives(name, filters.__all__)}")
        return typing.cast(FilterFunction, getattr(filters, name))
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"filter {name!r} cannot be imported: {error}") from error
    if not inspect.isfunction(function):
        raise ValueError(f"filter {name!r} is a {type(function).__name__}, not a function")
    return function


def _checked_settings(
    name: str, function: FilterFunction, given: Mapping[str, object]
) -> dict[str, object]:
    parameters = {
        parameter.name: parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for setting in given:
        if setting not in parameters:
            hint = _alternatives(setting, parameters) if parameters else "it has none"
            raise ValueError(f"filter {name}: no setting {setting!r}; {hint}")
    hints = typing.get_type_hints(function)
    chosen = {}
    for setting, parameter in parameters.items():
        value = given.get(setting, parameter.default)
        if value is inspect.Parameter.empty:
            raise ValueError(f"filter {name}: the setting {setting!r} is missing")
        if not _fits(value, hints.get(setting, object)):
            expected = inspect.formatannotation(hints[setting])
            raise ValueError(f"filter {name}: {setting} = {value!r} is no {expected}")
        chosen[setting] = value
    return chosen


def _fits(value: object, annotation: typing.Any) -> bool:
    """Whether a value of a recipe is of an annotated type; a whole number is a float too."""
    members = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is None:
        if isinstance(value, bool):
            return annotation in (bool, object, typing.Any)
        wider = (int, float) if annotation is float else annotation
        return annotation is typing.Any or isinstance(value, wider)
    if isinstance(origin, type) and issubclass(origin, Iterable):
        listed = isinstance(value, list | tuple)
        return listed and all(_fits(part, members[0]) for part in typing.cast(list[object], value))
    return any(_fits(value, member) for member in members)


def _try_out(bound: Filter) -> None:
    """Run the filter over no rows, so that contradictory settings show before the first batch."""
    empty = pa.table({name: pa.array([], COLUMNS[name]) for name in bound.columns})
    try:
        keep = bound(empty)
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise ValueError(f"filter {bound.name}: {error}") from error
    if not isinstance(keep, pa.BooleanArray):
        raise ValueError(f"filter {bound.name}: it returns {type(keep).__name__}, no BooleanArray")


def _alternatives(name: str, known: Iterable[str]) -> str:
    listed = sorted(known)
    close = difflib.get_close_matches(name, listed, n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}choose from {', '.join(listed)}"


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
