"""Audits of files as the SFT trainers read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from curation.audit import Audit, audit
from curation.cli import app
from curation.dialects import get_dialect
from curation.errors import SourceError
from curation.exporters.sft import SFT_SCHEMA
from tests.curation.scene import picture

CODE = "<think>\nI add.\n</think>\n<code>\n```python\nprint(19 + 23)\n```\n</code>"
GAVE = "Code execution result:\nstdout:\n```\n42\n```\n\nstderr:\n```\n\n```"
ANSWER = "<think>\nThat is the sum.\n</think>\n<answer>42</answer>"

Row = dict[str, Any]


def row(**changes: Any) -> Row:
    """A sound row; `changes` replace columns, and `turns` the contents after the question."""
    turns = changes.pop("turns", [CODE, GAVE, ANSWER])
    roles = ["assistant", "user"] * len(turns)
    messages = [
        {"role": "system", "content": "You are an agent."},
        {"role": "user", "content": changes.pop("question", "<image>\nWhat is 19 plus 23?")},
        *({"role": role, "content": text} for role, text in zip(roles, turns, strict=False)),
    ]
    return {"messages": messages, "images": ["one.png"]} | changes


async def audited(folder: Path, rows: list[Row], **settings: Any) -> Audit:
    (folder / "one.png").write_bytes(picture(1))
    file = folder / "data.json"
    file.write_text(json.dumps(rows))
    return await audit(file, get_dialect("deepeyes-v2"), **settings)


def failing(found: Audit) -> dict[str, int]:
    return {name: by[False] for name, by in found.counts.items() if by[False]}


async def test_a_sound_row_passes_and_runs_again(tmp_path: Path) -> None:
    found = await audited(tmp_path, [row()], run_again=True)
    assert (found.rows, found.sound, failing(found)) == (1, 1, {})
    assert found.counts["replay"][True] == found.counts["effect"][True] == 1


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("placeholders", {"images": []}),
        ("placeholders", {"images": ["one.png", "one.png"]}),
        ("placeholders", {"images": ["elsewhere.png"]}),
        ("grammar", {"turns": [CODE, GAVE, "I do not know."]}),
        ("answered", {"turns": [CODE]}),
        ("error_free", {"turns": [CODE, GAVE.replace("\n\n```", "\nNameError: x\n```"), ANSWER]}),
        ("effect", {"turns": [CODE.replace("print(19 + 23)", "# I add"), GAVE, ANSWER]}),
        ("leak", {"turns": [CODE.replace("19 + 23", "42"), GAVE, ANSWER]}),
        ("refusal", {"turns": [CODE, GAVE, ANSWER.replace("That", "As an AI, I say: that")]}),
        ("replay", {"turns": [CODE, GAVE.replace("42", "43"), ANSWER]}),
    ],
)
async def test_every_fault_is_counted_under_its_check(
    tmp_path: Path, check: str, changes: Row
) -> None:
    found = await audited(tmp_path, [row(**changes)], run_again=check == "replay")
    assert failing(found)[check] == 1 and found.sound == 0
    assert found.shown[check][0].startswith("data.json#0: ")


async def test_copies_and_rows_that_are_no_conversations_are_counted(tmp_path: Path) -> None:
    bad: list[Row] = [{"text": "?"}, row(messages=[{"role": "wizard", "content": ""}])]
    found = await audited(tmp_path, [row(), row(), *bad], examples=1)
    assert failing(found) == {"duplicate": 1, "readable": 2}
    assert found.rows == 4 and len(found.shown["readable"]) == 1


def as_sharegpt(plain: Row) -> Row:
    """LLaMA-Factory's other form."""
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    turns = [{"from": names[m["role"]], "value": m["content"]} for m in plain["messages"]]
    return {"conversations": turns, "images": plain["images"]}


def write_lines(path: Path) -> Path:
    file = path / "data.jsonl"
    file.write_text("\n".join(json.dumps(as_sharegpt(row())) for _ in range(2)))
    return file


def write_parquet(path: Path) -> Path:
    file = path / "data.parquet"
    image = {"bytes": picture(1), "path": None}
    pq.write_table(pa.Table.from_pylist([row(images=[image])] * 2, SFT_SCHEMA), file)
    return file


@pytest.mark.parametrize("write", [write_lines, write_parquet])
def test_the_command_reads_what_trainers_read(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    (tmp_path / "one.png").write_bytes(picture(1))
    done = CliRunner().invoke(app, ["audit", str(write(tmp_path))])
    assert done.exit_code == 0
    assert "nothing speaks against 1 of 2 rows" in done.output
    assert "an earlier row says the same" in done.output


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gone.json", None, "cannot be opened"),
        ("data.parquet", "no parquet", "cannot be read as Parquet"),
        ("data.json", '[{"question": 1}]', "holds no conversations"),
        ("data.json", "", "holds no conversations"),
    ],
)
async def test_a_bad_file_is_one_sentence(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=said):
        await audit(tmp_path / name, get_dialect("deepeyes-v2"))


def test_an_unknown_dialect_is_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "x.json"), "--dialect", "klingon"])
    assert done.exit_code == 2 and "no dialect 'klingon'" in done.stderr
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "x.json"), "--dialect", "openai"])
    assert done.exit_code == 2 and "write deepeyes, which reads" in " ".join(done.stderr.split())
