"""`toolsight search` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner, Result

from curation.cli import app


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["search", *map(str, arguments)])


def test_an_index_is_built_and_asked(tmp_path: Path) -> None:
    rows = [{"body": "Zebras have stripes.", "name": "Zebra"}, {"body": None}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    index = tmp_path / "index"
    columns = ("--text", "body", "--title", "name")
    done = call("build", tmp_path / "a.jsonl", "--index", index, *columns)
    assert done.exit_code == 0, done.output
    assert f"{index}: 1 documents, 1 rows skipped" in done.stdout
    assert "the first skipped row: a.jsonl#1: column 'body' holds no text" in done.stdout
    done = call("ask", index, "striped zebra")
    assert done.exit_code == 0 and "1. [Zebra]()\n\nZebras have stripes." in done.stdout


def test_an_image_set_is_built(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "black.png")
    done = call("images", tmp_path / "black.png", "--index", tmp_path / "set.parquet")
    assert done.exit_code == 0 and "1 images, 0 files skipped" in done.stdout


def test_mistakes_are_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    for arguments in (
        ("build", tmp_path / "nothing", "--index", tmp_path / "index"),
        ("ask", tmp_path, "query"),
        ("images", tmp_path, "--index", tmp_path / "set.parquet"),
    ):
        done = call(*arguments)
        assert done.exit_code == 2
        assert done.stderr.startswith("error: ") and "Traceback" not in done.output
