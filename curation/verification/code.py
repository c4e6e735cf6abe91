"""What can be read off code without running it."""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

INPUT = re.compile(r"image_(\d+)")
"""Names of the question's images in a session."""

_COPIES = {"copy", "convert", "array", "asarray", "open", "fromarray"}
"""Calls that give the same picture again."""
_CHANGES = {"paste", "putpixel", "putalpha", "alpha_composite", "thumbnail", "fill"}
"""Methods that change a picture in place."""
_UNKNOWN = ast.Constant(value=None)
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


@lru_cache(maxsize=256)
def parsed(code: str) -> ast.Module | None:
    """The syntax tree, to be read only, since several checks share it; None where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as an invalid escape in a string
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def called(call: ast.Call) -> str:
    """The name of a called function or method, without what stands before its last dot."""
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


def calls_in(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@dataclass(slots=True)
class Names:
    """What the variables of a session are known to hold, cell after cell."""

    constants: dict[str, object] = field(default_factory=dict)
    """Numbers and tuples of numbers."""
    inputs: dict[str, int] = field(default_factory=dict)
    """Names of a whole image of the question, with its number from 1."""
    sizes: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Width and height of images whose size follows from the code."""

    spoiled: set[str] = field(default_factory=set)
    """Names of pictures that something may have drawn into."""

    def spoil(self, call: ast.Call) -> None:
        """Distrust the pictures that a call is given, or that it changes in place."""
        if called(call) in _COPIES:
            return
        given: list[ast.expr] = list(call.args)
        if called(call) in _CHANGES and isinstance(call.func, ast.Attribute):
            given.append(call.func.value)
        self.spoiled |= {each.id for each in given if isinstance(each, ast.Name)}

    def learn(self, name: str, value: ast.expr) -> None:
        """Take an assignment into account; forget what the name was."""
        constant, number, size = self.constant(value), self.input(value), self.size(value)
        for table in (self.constants, self.inputs, self.sizes):
            table.pop(name, None)
        self.spoiled.discard(name)
        if constant is not None:
            self.constants[name] = constant
        if number is not None:
            self.inputs[name] = number
        if size is not None:
            self.sizes[name] = size

    def constant(self, node: ast.expr) -> object:
        """The number, or tuple of constants, that an expression is; None where it is neither."""
        match node:
            case ast.Constant(value=bool()):
                return None
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.Name(name):
                return self.constants.get(name)
            case ast.UnaryOp(ast.USub(), operand):
                positive = self.constant(operand)
                return -positive if isinstance(positive, int | float) else None
            case ast.Tuple(elements) | ast.List(elements):
                values = tuple(self.constant(element) for element in elements)
                return None if None in values else values
            case ast.BinOp(left, sign, right) if type(sign) in _OPERATORS:
                a, b = self.constant(left), self.constant(right)
                if isinstance(a, int | float) and isinstance(b, int | float):
                    try:
                        return _OPERATORS[type(sign)](a, b)
                    except ArithmeticError:
                        return None
        return None

    def input(self, node: ast.expr) -> int | None:
        """The number of the question's image that an expression shows unchanged."""
        match node:
            case ast.Name(name) if name in self.spoiled:
                return None
            case ast.Name(name) if name in self.inputs:
                return self.inputs[name]
            case ast.Name(name) if found := INPUT.fullmatch(name):
                return int(found[1])
            case ast.Constant(value=str() as path) if found := INPUT.search(path):
                return int(found[1])
            case ast.Call() as call if called(call) in _COPIES:
                own = call.func.value if isinstance(call.func, ast.Attribute) else None
                for given in (*([own] if own else []), *call.args):
                    if (number := self.input(given)) is not None:
                        return number
        return None

    def size(self, node: ast.expr) -> tuple[float, float] | None:
        """The size that a crop or a resized image has."""
        match node:
            case ast.Name(name):
                return self.sizes.get(name)
            case ast.Call(ast.Attribute(attr="crop")) as call:
                box = crop_box(call, self)
                if box is not None and len(box) == 4:
                    return box[2] - box[0], box[3] - box[1]
            case ast.Call(ast.Attribute(attr="resize"), [target, *_]):
                match self.constant(target):
                    case (int() | float() as width, int() | float() as height):
                        return width, height
        return None


def crop_box(call: ast.Call, names: Names) -> tuple[float, ...] | None:
    """The constant box of `image.crop(box)`."""
    given = [*call.args, *(word.value for word in call.keywords if word.arg == "box")]
    value = names.constant(given[0]) if given else None
    if isinstance(value, tuple) and all(isinstance(edge, int | float) for edge in value):
        return value
    return None


def assignments(statement: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names that a statement assigns, each with the expression that it then is."""
    for node in ast.walk(statement):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from _pairs(target, value)
            case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                yield name, value
            case ast.AugAssign(target=ast.Name(name)):
                yield name, _UNKNOWN
            case ast.For(target=target):
                names = (each for each in ast.walk(target) if isinstance(each, ast.Name))
                yield from ((each.id, _UNKNOWN) for each in names)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match target, value:
        case ast.Name(name), _:
            yield name, value
        case ast.Tuple(names), ast.Tuple(values) if len(names) == len(values):
            for one, its in zip(names, values, strict=True):
                yield from _pairs(one, its)
        case ast.Tuple(names), _:
            yield from ((one.id, _UNKNOWN) for one in names if isinstance(one, ast.Name))
