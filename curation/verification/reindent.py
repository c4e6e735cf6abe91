"""Whether code survives what DeepEyesV2's environment does to it before it runs it.

Its RL environment strips every line, drops empty ones and indents anew: one level deeper after a
line that ends in a colon, one level back before `else`, `elif`, `except` and `finally`, and never
back otherwise. What follows a block falls into the block. Imports are then moved to the top, which
changes nothing here. Code that keeps its syntax tree under this rule keeps its meaning.
"""

from __future__ import annotations

import ast

from curation.dialects import Code
from curation.verification.case import Case, Finding
from curation.verification.code import parsed

_BACK = ("else", "elif", "except", "finally")


def trainer_replay(case: Case) -> Finding:
    """All code means the same after DeepEyesV2's re-indentation."""
    blocks = [
        (position, action.code)
        for position, action, call in case.executed
        if isinstance(action, Code) and call.error is None
    ]
    for position, code in blocks:
        if not survives(code):
            return Finding(False, f"the code of turn {position + 1} changes when indented anew")
    if not blocks:
        return Finding(None, "no code that ran")
    return Finding(True, f"{len(blocks)} blocks mean the same when indented anew")


def survives(code: str) -> bool:
    """Whether the syntax tree stays; code that does not parse as it stands does not survive."""
    before, after = parsed(code), parsed(indented_anew(code))
    return before is not None and after is not None and ast.dump(before) == ast.dump(after)


def indented_anew(code: str) -> str:
    """The code as DeepEyesV2's environment indents it."""
    level, lines = 0, []
    for line in filter(None, map(str.strip, code.split("\n"))):
        if line.startswith(_BACK):
            level = max(level - 1, 0)
        lines.append("    " * level + line)
        level += line.endswith(":")
    return "\n".join(lines)
