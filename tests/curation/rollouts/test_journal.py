"""The journal of turns: what was noted is recalled, however the process ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from curation.rollouts.journal import Entry, Journal, Step
from schemas import ToolCall, Turn

CALL = ToolCall("python", "print(1)", "stdout: 1 \ud800", "1", "", ("a" * 64,), None, 0.5)


def reply(text: str) -> Step:
    return Step(Turn(text, None, "stop", 10, 5), 10, 15)


def acted(step: Step) -> Step:
    return replace(step, turn=replace(step.turn, call=CALL), ran=True)


def left_behind(path: Path, *entries: Entry) -> None:
    """A journal whose process was killed."""
    journal = Journal(path)
    journal.__enter__()
    journal.note(entries)
    journal._close()


def test_a_step_takes_the_place_of_itself_and_of_all_after_it(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "tools.jsonl"
    first, second = reply("look \u2028 here\r"), reply("answer")
    left_behind(
        path,
        Entry("a", 0, first),
        Entry("b", 0, first),
        Entry("a", 0, acted(first)),
        Entry("a", 1, second),
        Entry("b", 0, second),
    )
    with Journal(path) as journal:
        assert journal.recall("a") == [acted(first), second]
        assert journal.recall("b") == [second]
        assert journal.recall("c") == []
        journal.note([Entry("a", 0, second)])
        assert journal.recall("a") == [second]


@pytest.mark.parametrize("torn", [b'{"rollout_id": "b", "num', b"\n", b"[]\n", b'{"number": 1}\n'])
def test_half_a_line_is_no_line_and_spoils_none(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal" / "tools.jsonl"
    left_behind(path, Entry("a", 0, reply("one")))
    path.write_bytes(path.read_bytes() + torn)
    left_behind(path, Entry("a", 1, reply("two")))
    with Journal(path) as journal:
        assert journal.recall("a") == [reply("one"), reply("two")]


def test_a_step_without_the_one_before_it_is_not_recalled(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "tools.jsonl"
    left_behind(path, Entry("a", 1, reply("two")), Entry("b", 0, reply("one")))
    with Journal(path) as journal:
        assert journal.recall("a") == [] and journal.recall("b") == [reply("one")]


def test_what_is_in_the_table_leaves_the_file_which_goes_when_nothing_is_left(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal" / "tools.jsonl"
    with Journal(path) as journal:
        journal.note(Entry(name, 0, reply(name * 100)) for name in "abc")
        journal.settle(["a", "b"])
        assert b"aaa" not in path.read_bytes() and b"ccc" in path.read_bytes()
        journal.note([Entry("c", 1, reply("more"))])
        assert len(journal.recall("c")) == 2
    with Journal(path) as journal:
        assert len(journal.recall("c")) == 2, "a cap may have ended the stage before it was done"
        journal.settle(["c"])
    assert not path.exists()


def test_an_error_leaves_the_file_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "tools.jsonl"
    with pytest.raises(KeyboardInterrupt), Journal(path) as journal:
        journal.note([Entry("a", 0, reply("one"))])
        raise KeyboardInterrupt
    with Journal(path) as journal:
        assert journal.recall("a") == [reply("one")]
