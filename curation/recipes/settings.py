"""Strict binding of TOML tables to dataclasses and of settings to functions.

Every mistake is found when a recipe is loaded, with the key, where it stands and what would do.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from curation.errors import RecipeError

T = TypeVar("T")


def unknown(word: str, name: str, known: Collection[str], where: str) -> RecipeError:
    """The sentence for a name that does not exist: the nearest ones, or all of them."""
    near = difflib.get_close_matches(name, known, n=3)
    rest = ", ".join(sorted(near or known)) or "none"
    return RecipeError(
        f"{where}: there is no {word} {name!r}: {'did you mean' if near else 'choose one of'}"
        f" {rest}{'?' if near else ''}"
    )


def check_names(what: str, names: Sequence[str]) -> None:
    """RecipeError where two have one name."""
    for name in names:
        if names.count(name) > 1:
            raise RecipeError(f"two {what} are named {name!r}: give one of them another `name`")


def bind(record: type[T], table: Mapping[str, Any], where: str) -> T:
    """A dataclass from a TOML table.

    Raises:
        RecipeError: an unknown or missing key, a value of another type, or out of range
            (a ValueError of the dataclass's own `__post_init__`).
    """
    fields = {field.name: field for field in dataclasses.fields(record)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(record)
    for key in table:
        if key not in fields:
            raise unknown("key", key, fields, where)
    for name, field in fields.items():
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and name not in table:
            raise RecipeError(f"{where}: {name} is missing: add `{name} = ...`")
    values = {key: _convert(value, hints[key], f"{where}.{key}") for key, value in table.items()}
    try:
        return record(**values)
    except ValueError as error:
        raise RecipeError(f"{where}: {error}") from None


def _convert(value: Any, hint: Any, where: str) -> Any:
    """The value as its annotation says; TOML has no tuples, and 1 is a good 1.0."""
    if isinstance(hint, types.UnionType):
        hint = next(member for member in typing.get_args(hint) if member is not type(None))
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        element = typing.get_args(hint)[0]
        return tuple(_convert(item, element, where) for item in value)
    if hint is float and type(value) is int:
        return float(value)
    expected = typing.get_origin(hint) or hint
    if expected in (Any, object):
        return value
    if dataclasses.is_dataclass(expected) and isinstance(value, dict):
        return bind(typing.cast(type, expected), value, where)
    if type(value) is not expected and not (expected is Mapping and isinstance(value, dict)):
        raise RecipeError(
            f"{where}: {value!r} is a {toml_type(type(value))}, but {toml_type(expected)} is wanted"
        )
    return value


_TOML_NAMES: dict[Any, str] = {
    str: "string",
    int: "whole number",
    float: "number",
    bool: "true or false",
    list: "list",
    tuple: "list",
    dict: "table",
    Mapping: "table",
}


def toml_type(kind: Any) -> str:
    """A type in the words of TOML."""
    return _TOML_NAMES.get(kind, getattr(kind, "__name__", str(kind)))


def resolve(use: str, catalogue: Mapping[str, str], word: str, where: str) -> Callable[..., Any]:
    """A plugin: a name in the catalogue, or `package.module:function` of your own."""
    if ":" not in use and use not in catalogue:
        raise unknown(word, use, catalogue, f"{where}.use")
    module, _, name = catalogue.get(use, use).partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise RecipeError(
            f"{where}.use: {use!r} cannot be imported ({error}): write package.module:function"
            " of a module on the Python path"
        ) from None
    if not callable(function):
        raise RecipeError(f"{where}.use: {use!r} is no function")
    return typing.cast(Callable[..., Any], function)


def bind_settings(function: Callable[..., Any], settings: Mapping[str, Any], where: str) -> None:
    """Check settings against a function's keyword-only parameters.

    Raises:
        RecipeError: an unknown setting, a missing one, or a value of another type.
    """
    parameters = keyword_parameters(function)
    hints = typing.get_type_hints(function)
    for key, value in settings.items():
        if key not in parameters:
            raise unknown("setting", key, parameters, where)
        if key in hints and _is_plain(hints[key]):
            _convert(value, hints[key], f"{where}.{key}")
    for key, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in settings:
            raise RecipeError(f"{where}: the setting {key} is missing: add `{key} = ...`")


def _is_plain(hint: Any) -> bool:
    return hint in (str, int, float, bool)


def keyword_parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The settings of a plugin: its keyword-only parameters."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
