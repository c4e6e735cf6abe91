"""What docstrings say of fields and settings, and the unit that this tells."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

_ENTRY = re.compile(r"^(\w+(?:, \w+)*): (.*(?:\n +\S.*)*)", re.MULTILINE)
_UNITS = ("seconds", "bytes", "pixels", "tokens", "characters", "rows", "requests", "attempts")
_AS_FOR = re.compile(r"settings as\s+for `(?:([\w.]+)\.)?(\w+)`")
_NAMED = {
    "timeout": "seconds",
    "side": "pixels",
    "chars": "characters",
    "share": "share of 1",
    **{unit: unit for unit in _UNITS},
}
"""The last word of a name that tells the unit, where the meaning does not begin with it."""


def field_meanings(record: type) -> dict[str, str]:
    """The docstrings below the fields of a dataclass, those of its bases included."""
    said: dict[str, str] = {}
    for kind in reversed(record.__mro__):
        if dataclasses.is_dataclass(kind):
            said |= _own_meanings(kind)
    return said


def _own_meanings(record: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    assert isinstance(tree, ast.ClassDef)
    said = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    said[field.target.id] = _one_line(text)
    return said


def setting_meanings(function: Callable[..., Any], names: Iterable[str]) -> dict[str, str]:
    """What a function's docstring says of its settings: in an entry `name: ...` of its own, or
    else the sentences that have the name in backticks. "Settings as for `other`" says the same of
    the rest as the other function does, of this module or by its whole name."""
    text = (inspect.getdoc(function) or "").partition("Args:\n")[0]
    names = tuple(names)
    same: dict[str, str] = {}
    if found := _AS_FOR.search(text):
        module = importlib.import_module(found[1] or function.__module__)
        same = setting_meanings(getattr(module, found[2]), names)
    entries = {
        name: _one_line(said)
        for listed, said in _ENTRY.findall(text)
        for name in listed.split(", ")
    }
    prose = [_one_line(part) for part in _ENTRY.sub("", text).split("\n\n")]
    sentences = [said for part in prose for said in re.split(r"(?<=\.)\s+", part)]
    named = {name: " ".join(said for said in sentences if f"`{name}`" in said) for name in names}
    return {name: entries.get(name) or named[name] or same.get(name, "") for name in names}


def first_paragraph(thing: Any) -> str:
    """The first paragraph of a docstring on one line."""
    return _one_line((inspect.getdoc(thing) or "").partition("\n\n")[0])


def unit_of(name: str, meaning: str) -> str:
    """The unit of a number: the meaning's first word, or the name's last one; empty for none."""
    first = re.match(r"\w*", meaning.lower())
    if first is not None and first[0] in _UNITS:
        return first[0]
    return _NAMED.get(name.rpartition("_")[2], "") if name not in _UNITS else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
