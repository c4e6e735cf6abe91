"""The child process of `symbolic`: reads pairs of expressions, answers whether they are equal.

One JSON value a line, on standard input and output. A comparison that takes more processor time
than allowed ends the process: SIGPROF is left to its default, so the kernel stops it even inside
integer arithmetic.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys

_MEMORY = 2 << 30
_ANCHOR = re.compile(r"\$|\\\(|\\\[|\\boxed")


def _parse(text: str) -> list[object]:
    """Expressions of a text; the text alone is taken as LaTeX where nothing marks the formula."""
    from math_verify import parse

    marked = text if _ANCHOR.search(text) else f"${text}$"
    for form in (marked, text):
        found: list[object] = parse(form, parsing_timeout=None)
        if any(not isinstance(one, str) for one in found):
            return found
    return []


def compare(said: str, gold: str) -> str:
    """`equal`, `different`, `unread_gold` or `unread_answer`."""
    from math_verify import verify

    expected = _parse(gold)
    if not expected:
        return "unread_gold"
    found = _parse(said)
    if not found:
        return "unread_answer"
    return "equal" if verify(expected, found, timeout_seconds=None) else "different"


def main(cpu_seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    compare("1", "1")  # Importing sympy is not to count.
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        try:
            outcome = compare(*json.loads(line))
        except Exception:  # sympy raises nearly anything on odd input; the parent abstains.
            outcome = "failed"
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
