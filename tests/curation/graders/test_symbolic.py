"""The child process that compares expressions: from any thread, stoppable, replaceable."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from curation.graders import grade
from curation.graders.symbolic import Symbolic

# The value has more digits than there are atoms: it can neither be computed nor interrupted.
TOWER = "9^{9^{9^{9}}}"


@pytest.fixture
def symbolic() -> Iterator[Symbolic]:
    one = Symbolic(cpu_seconds=1.0)
    yield one
    one.close()


def test_outcomes(symbolic: Symbolic) -> None:
    assert symbolic.compare("1/2", "0.5") == "equal"
    assert symbolic.compare("1/3", "0.5") == "different"
    assert symbolic.compare("???", "0.5") == "unread_answer"
    assert symbolic.compare("0.5", "???") == "unread_gold"


def test_an_endless_comparison_is_given_up_and_the_next_one_works(symbolic: Symbolic) -> None:
    assert symbolic.compare("1", "1") == "equal"
    assert symbolic.compare(TOWER, "3") == "late"
    assert symbolic.compare("1/2", "0.5") == "equal"


def test_a_killed_child_is_replaced(symbolic: Symbolic) -> None:
    assert symbolic.compare("1", "1") == "equal"
    assert symbolic._child is not None
    os.kill(symbolic._child.pid, signal.SIGKILL)
    symbolic._child.wait()
    assert symbolic.compare("1/2", "0.5") == "failed"
    assert symbolic.compare("1/2", "0.5") == "equal"


def test_an_interrupted_question_does_not_answer_the_next(
    symbolic: Symbolic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(child: subprocess.Popen[str], line: str) -> str:
        assert child.stdin is not None
        child.stdin.write(line + "\n")
        child.stdin.flush()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("curation.graders.symbolic._ask", interrupted)
        symbolic.compare("1", "1")
    assert symbolic.compare("1/3", "0.5") == "different"


def test_a_grade_is_an_abstention_when_the_comparison_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for outcome in ("late", "failed"):
        monkeypatch.setattr(Symbolic, "compare", lambda self, said, gold, found=outcome: found)
        assert grade("1/2", ["0.5"], kind="math").value is None


def test_threads_share_the_child() -> None:
    def compare(value: int) -> float | None:
        return grade(rf"\frac{{{value}}}{{2}}", [str(value / 2)], kind="math").value

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(compare, range(1, 40))) == [1.0] * 39


FORK = """
import os
from curation.graders.symbolic import SYMBOLIC
assert SYMBOLIC.compare("1/2", "0.5") == "equal"
parent = SYMBOLIC._child
SYMBOLIC._lock.acquire()
pid = os.fork()
if pid == 0:
    equal = SYMBOLIC.compare("1/2", "0.5") == "equal"
    own = SYMBOLIC._child is not parent
    SYMBOLIC.close()
    os._exit(0 if equal and own else 1)
SYMBOLIC._lock.release()
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert SYMBOLIC.compare("1/3", "0.5") == "different"
"""


def test_a_fork_starts_a_child_of_its_own_even_from_the_midst_of_a_comparison() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True)


def test_long_expressions_are_not_compared() -> None:
    graded = grade("1+" * 200 + "1", ["201"], kind="math")
    assert graded.value is None
    assert "longer than 300 characters" in graded.explanation
