"""Whether actions do something: dummy code, a picture shown again, output that nobody reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from curation.dialects import Action, Code
from curation.verification.case import Case, Finding
from curation.verification.code import Names, assignments, called, calls_in, parsed
from curation.verification.numbers import akin, numbers_in
from schemas import ToolCall

BLANK = 1.0
"""Standard deviation of grey values below which nothing is to be seen."""
_ENLARGED = 1.5
"""A picture shown again this much larger than it is does show something."""

_IDLE = (
    ast.Module,
    ast.Expr,
    ast.Assign,
    ast.Pass,
    ast.Import,
    ast.ImportFrom,
    ast.alias,
    ast.Constant,
    ast.Name,
    ast.Load,
    ast.Store,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.keyword,
    ast.UnaryOp,
    ast.USub,
)
"""All that code is made of which holds constants and nothing else."""
_SHOWS = {"show", "imshow", "display"}
_STAGING = {"figure", "subplots", "axis", "title", "set_title", "tight_layout", "print", "xticks"}
_STAGING |= {"yticks", "close", "open", "copy", "convert", "array", "asarray", "set_axis_off"}
"""Calls that put a picture on the page and change nothing in it."""
_WORD = re.compile(r"[^\W\d_]{4,}")


def effect(case: Case) -> Finding:
    """Every action does something, and something that came back is used.

    Dummy code earned DeepEyesV2's first models a bonus; showing the input again is the commonest
    empty action in audits of public trajectories (arXiv 2606.02357).
    """
    names = Names()
    for position, action, call in case.executed:
        fault = _idle(case, action, call, names) or _empty(case, position, call)
        if fault and call.error is None:
            return Finding(False, f"turn {position + 1} {fault}", position + 1)
    made = [call for _, _, call in case.executed if call.error is None]
    if not made:
        return Finding(None, "nothing was done")
    if not any(call.image_ids for call in made) and not _read(case):
        return Finding(False, "nothing that came back is taken up later")
    return Finding(True, f"{len(made)} action{'s' * (len(made) != 1)} with an effect")


def _idle(case: Case, action: Action, call: ToolCall, names: Names) -> str | None:
    """Code that computes nothing, and pictures that show nothing new."""
    if isinstance(action, Code) and (tree := parsed(action.code)):
        if _constant_only(tree):
            return "runs code that holds only constants or comments"
        if _shows_input(tree, names):
            return "shows the image of the question again"
    for image_id in call.image_ids:
        if fault := _picture_fault(case, image_id):
            return fault
    return None


def _constant_only(tree: ast.Module) -> bool:
    """Nothing is computed, looked up or called but `print` of what stands in the code itself."""
    assigned = {name for name, _ in assignments(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if called(node) != "print":
                return False
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id not in assigned | {"print"}:
                return False
        elif not isinstance(node, _IDLE):
            return False
    return True


def _shows_input(tree: ast.Module, names: Names) -> bool:
    """All that is shown are images of the question as they are."""
    shown: list[int | None] = []
    worked = any(isinstance(node, ast.Subscript) for node in ast.walk(tree))
    for statement in tree.body:
        for call in calls_in(statement):
            if called(call) not in _SHOWS:
                worked = worked or called(call) not in _STAGING
                names.spoil(call)
            elif (subject := _subject(call)) is not None:
                shown.append(names.input(subject))
        for name, value in assignments(statement):
            names.learn(name, value)
    return bool(shown) and None not in shown and not worked


def _subject(call: ast.Call) -> ast.expr | None:
    """What is shown; None for `plt.show()`, which shows what was drawn before."""
    if call.args:
        return call.args[0]
    match call.func:
        case ast.Attribute(value=ast.Name(id="plt")):
            return None
        case ast.Attribute(value=own) if called(call) == "show":
            return own
    return None


def _picture_fault(case: Case, image_id: str) -> str | None:
    shown = case.gallery.seen(image_id)
    if shown is None:
        return None
    if shown.spread < BLANK:
        return "shows a blank picture"
    for look in filter(None, map(case.gallery.seen, case.image_ids)):
        if shown.content[0] < _ENLARGED * look.content[0] and shown.resembles(look):
            return "shows the image of the question again"
    return None


def _empty(case: Case, position: int, call: ToolCall) -> str | None:
    """An action that gave nothing, unless a later one works with the names that it set."""
    if call.stdout.strip() or call.image_ids or call.error:
        return None
    action = case.actions[position]
    tree = parsed(action.code) if isinstance(action, Code) else None
    if tree is not None:
        later = " ".join(
            action.code for action in case.actions[position + 1 :] if isinstance(action, Code)
        )
        if any(re.search(rf"\b{re.escape(name)}\b", later) for name in _defined(tree)):
            return None
    return "gives nothing back"


def _defined(tree: ast.Module) -> Iterator[str]:
    yield from (name for name, _ in assignments(tree))
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)


def _read(case: Case) -> bool:
    """Some number or word that came back stands in a later turn; a truth value is taken as read."""
    for position, _, call in case.executed:
        later = " ".join(case.texts[position + 1 :])
        words = set(_WORD.findall(later.lower()))
        if words & set(_WORD.findall(call.stdout.lower())):
            return True
        if re.search(r"\b(?:True|False)\b", call.stdout):
            return True
        told = numbers_in(later)
        if any(akin(one, other) for one in numbers_in(call.stdout) for other in told):
            return True
    return False
