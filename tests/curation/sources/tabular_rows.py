"""Rows, images and files that the tests of tabular sources share."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq

from curation.sources.base import BadRow, RawSample, Row
from curation.sources.tabular import jsonl


def encoded(colour: str = "red", size: tuple[int, int] = (40, 20), form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", size, colour).save(buffer, form)
    return buffer.getvalue()


RED, BLUE = encoded("red"), encoded("blue", form="JPEG")


def write_parquet(file: Path, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), file)
    return file


def write_lines(file: Path, *rows: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def row(**changes: Any) -> dict[str, Any]:
    return {"question": "Which colour?", "answer": "red", "image": "red.png"} | changes


def one(rows: Any) -> RawSample:
    [sample] = list(rows)
    assert isinstance(sample, RawSample), sample
    return sample


def fault(rows: Any) -> BadRow:
    [bad] = list(rows)
    assert isinstance(bad, BadRow), bad
    return bad


def read_one_line(folder: Path, cells: dict[str, Any], **settings: Any) -> list[Row]:
    return list(jsonl(path=str(write_lines(folder / "rows.jsonl", cells)), **settings))
