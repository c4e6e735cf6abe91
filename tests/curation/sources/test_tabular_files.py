"""Parquet and JSON files: faults, and files that disagree or are damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import RecipeError, SourceError
from curation.sources.base import BadRow, RawSample
from curation.sources.tabular import jsonl, parquet, version_jsonl, version_parquet
from tests.curation.sources.tabular_rows import (
    BLUE,
    RED,
    encoded,
    fault,
    one,
    read_one_line,
    row,
    write_lines,
    write_parquet,
)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"question": None}, "missing_question", "holds no question"),
        ({"question": "<image> "}, "missing_question", "only blanks"),
        ({"question": 5}, "question_type", "holds int"),
        ({"question": "What does <image>"}, "placeholder_in_question", "literal <image>"),
        ({"question": "Is <image> like the other?"}, "placeholder_in_question", "literal <image>"),
        ({"answer": None}, "missing_answer", "no answer"),
        ({"answer": "  "}, "empty_answer", "blank"),
        ({"answer": ["red", "scarlet"]}, "answer_is_list", "map it as answers"),
        ({"answer": {"text": "red"}}, "answer_type", "answer.text"),
        ({"answer": "x" * 10_000}, "long_answer", "10000 characters"),
        ({"image": None}, "missing_image", "has no image"),
        ({"image": []}, "missing_image", "list of images is empty"),
        ({"image": 3}, "image_type", "the image is int"),
        ({"image": "gone.png"}, "missing_image", "No such file"),
        ({"image": "../red.png"}, "image_outside_root", "set image_root"),
        ({"image": "/etc/hostname"}, "image_outside_root", "leads out of"),
        ({"image": "https://example.org/a.png"}, "image_is_url", "download it"),
        ({"image": "data:image/png;base64,@@@"}, "bad_base64", "cannot be decoded"),
        ({"image": "iVBORw0KGgoAA"}, "bad_base64", "cannot be decoded"),
        ({"bbox": [1, 2, 3]}, "bad_box", "not four numbers"),
        ({"bbox": [30, 5, 10, 15]}, "bad_box", "holds nothing of the image (40 x 20)"),
        ({"bbox": [0.1, 0.1, 0.2, 0.2]}, "box_scale", "set box_scale"),
        ({"options": ["cat", "dog"]}, "answer_not_an_option", "none of the 2 options"),
        ({"options": {"text": ["cat"], "label": ["A"]}}, "options_type", "write them as a list"),
        ({"options": 4}, "options_type", "no list of 1 to 26 options"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_fault_has_its_own_sentence(
    folder: Path, changes: dict[str, Any], error: str, words: str
) -> None:
    columns = {"boxes": "bbox", "options": "options"}
    cells = row(bbox=None, options=None) | changes
    bad = fault(read_one_line(folder, cells, columns=columns))
    assert (bad.origin_id, bad.error) == ("rows.jsonl#0", error)
    assert words in bad.message
    assert bad.message.startswith("rows.jsonl#0: ") and bad.message.endswith(".")
    assert "\n" not in bad.message


def test_boxes_in_bytes_that_are_no_image(folder: Path) -> None:
    (folder / "red.png").write_text("not a picture")
    bad = fault(read_one_line(folder, row(bbox=[1, 2, 3, 4]), columns={"boxes": "bbox"}))
    assert bad.error == "not_an_image"


def test_choice_without_options(folder: Path) -> None:
    assert fault(read_one_line(folder, row(), answer_kind="choice")).error == "missing_options"


def test_a_bad_row_costs_no_other_row(folder: Path) -> None:
    file = write_lines(
        folder / "rows.jsonl", row(id="a"), row(id="b", answer=None), row(id="a"), row(id="c")
    )
    rows = list(jsonl(path=str(file), columns={"id": "id"}))
    assert [item.origin_id for item in rows] == ["a", "rows.jsonl#1", "rows.jsonl#2", "c"]
    assert isinstance(rows[2], BadRow) and rows[2].error == "duplicate_id"
    assert "'a' was met before" in rows[2].message


def test_broken_lines_are_bad_rows_and_blank_ones_none(folder: Path) -> None:
    good = json.dumps(row()).encode()
    half = b'{"question": "\\ud83d", "answer": "\\u00e9", "image": "red.png"}'
    lines = [good, b"", b'{"question": ', b"\xff\xfe{}", b"[1, 2]", half, b"[" * 9999, good]
    (folder / "rows.jsonl").write_bytes(b"\n".join(lines))
    rows = list(jsonl(path=str(folder)))
    assert [item.error if isinstance(item, BadRow) else "" for item in rows] == [
        "",
        "bad_json",
        "bad_json",
        "not_an_object",
        "bad_json",
        "bad_json",
        "",
    ]
    assert rows[-1].origin_id == "rows.jsonl#6"


def test_a_json_list_is_read_like_lines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Chunks that end within numbers, texts and blanks.
    monkeypatch.setattr("curation.sources.json_files._CHUNK", 7)
    cells = [row(answer=12345 + at, question=f"How, [{at}]?") for at in range(9)]
    (folder / "rows.json").write_text(json.dumps(cells, indent=3))
    rows = list(jsonl(path=str(folder / "rows.json")))
    assert [item.answers[0] for item in rows if isinstance(item, RawSample)] == [
        str(12345 + at) for at in range(9)
    ]
    (folder / "rows.json").write_text(" [ ] ")
    assert list(jsonl(path=str(folder / "rows.json"))) == []


@pytest.mark.parametrize("end", ["", ', {"question": tru]', ', {"question"'])
def test_a_json_list_that_breaks_off_keeps_what_came_before(folder: Path, end: str) -> None:
    text = json.dumps([row(), row()]).removesuffix("]") + end
    (folder / "rows.json").write_text(text)
    *good, bad = jsonl(path=str(folder / "rows.json"))
    assert isinstance(bad, BadRow) and bad.error == "bad_json"
    assert good and all(isinstance(item, RawSample) for item in good)


def test_folders_and_patterns_read_every_file_once_in_order(folder: Path) -> None:
    for name in ("b/part-1.parquet", "a/part-0.parquet"):
        write_parquet(folder / name, [row(image=RED), row(image=BLUE)])
    ids = ["a/part-0.parquet#0", "a/part-0.parquet#1", "b/part-1.parquet#0", "b/part-1.parquet#1"]
    assert [item.origin_id for item in parquet(path=str(folder))] == ids
    assert [item.origin_id for item in parquet(path=f"{folder}/*/part-?.parquet")] == ids


def test_image_paths_are_relative_to_the_file_or_to_image_root(folder: Path) -> None:
    write_parquet(folder / "a" / "rows.parquet", [row()])
    assert fault(parquet(path=str(folder / "a"))).error == "missing_image"
    assert one(parquet(path=str(folder / "a"), image_root=str(folder))).images == (RED,)


def test_other_types_in_a_later_file_are_reported_and_readable_rows_kept(folder: Path) -> None:
    write_parquet(folder / "a.parquet", [row(image=RED)])
    write_parquet(folder / "b.parquet", [row(image=RED, answer=7)])
    write_parquet(folder / "c.parquet", [row(image=RED)])
    first, report, number, last = parquet(path=str(folder))
    assert isinstance(report, BadRow)
    assert (report.origin_id, report.error) == ("b.parquet", "column_types")
    for part in ("'answer'", "int64 here", "string in a.parquet", "one schema"):
        assert part in report.message
    assert isinstance(number, RawSample) and number.answers == ("7",)
    assert isinstance(first, RawSample) and isinstance(last, RawSample)


def test_a_column_missing_from_a_later_file_is_reported_row_by_row_too(folder: Path) -> None:
    write_parquet(folder / "a.parquet", [row(image=RED)])
    write_parquet(folder / "b.parquet", [{"question": "?", "image": RED}] * 2)
    errors = [item.error for item in parquet(path=str(folder)) if isinstance(item, BadRow)]
    assert errors == ["column_types", "missing_answer", "missing_answer"]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_another_encoding_of_the_same_type_is_no_difference(
    folder: Path, kind: pa.DataType
) -> None:
    write_parquet(folder / "a.parquet", [row(image=RED, answer=None)])
    schema = pa.schema({"question": pa.string(), "answer": kind, "image": pa.large_binary()})
    write_parquet(folder / "b.parquet", [row(image=RED)], schema)
    rows = list(parquet(path=str(folder)))
    assert [getattr(item, "error", "") for item in rows] == ["missing_answer", ""]


def test_a_damaged_file_costs_no_other_file(folder: Path) -> None:
    (folder / "a.parquet").write_bytes(b"PAR1 is not enough")
    write_parquet(folder / "b.parquet", [row(image=RED)])
    bad, good = parquet(path=str(folder))
    assert isinstance(bad, BadRow) and isinstance(good, RawSample)
    assert (bad.origin_id, bad.error) == ("a.parquet", "unreadable_parquet")


def test_a_damaged_row_group_costs_no_other_one(folder: Path) -> None:
    rows = [row(question=f"Question {at}?", image=encoded(size=(40, 40 + at))) for at in range(6)]
    file = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=2)
    start = pq.ParquetFile(file).metadata.row_group(1).column(0).data_page_offset
    data = bytearray(file.read_bytes())
    data[start : start + 8] = b"\xff" * 8
    file.write_bytes(data)
    found = list(parquet(path=str(file)))
    assert [item.origin_id for item in found if isinstance(item, RawSample)] == [
        f"rows.parquet#{at}" for at in (0, 1, 4, 5)
    ]
    [bad] = [item for item in found if isinstance(item, BadRow)]
    assert bad.origin_id == "rows.parquet#2"
    assert "rows 2 to 3 cannot be read" in bad.message


def test_only_mapped_columns_are_read_and_in_batches(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curation.sources.tabular.BATCH_ROWS", 4)
    asked = []
    iter_batches = pq.ParquetFile.iter_batches

    def spy(self: pq.ParquetFile, size: int, **settings: Any) -> Any:
        asked.append((size, settings["columns"]))
        return iter_batches(self, size, **settings)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", spy)
    write_parquet(folder / "rows.parquet", [row(image=RED, heavy=b"0" * 1000)] * 10)
    assert len(list(parquet(path=str(folder)))) == 10
    assert asked == [(4, ["question", "answer", "image"])]


@pytest.mark.parametrize("source", [parquet, jsonl])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"columns": {"answer": "label"}}, "no column 'label'; it has question, answer, image"),
        ({"columns": {"metadata": "pages"}}, "no column 'pages'"),
        ({"columns": {"anwser": "label"}}, "columns.anwser is unknown"),
        ({"columns": {"answer": 3}}, "columns.answer = 3 is no column name"),
        ({"columns": {"answer": ["a", "b"]}}, "takes one column name, not 2"),
        ({"preset": "chart-qa"}, "did you mean 'chartqa'?"),
        ({"preset": "vstar", "columns": {"answer": "a"}}, "leave out either preset or columns"),
        ({"answer_kind": "numeric"}, "answer_kind = 'numeric' is unknown"),
        ({"box_format": "cxcywh"}, "box_format = 'cxcywh' is unknown"),
        ({"box_scale": "percent"}, "box_scale = 'percent' is unknown"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_settings_are_found_before_the_first_row(
    folder: Path, source: Any, settings: dict[str, Any], words: str
) -> None:
    write_parquet(folder / "rows.parquet", [row()])
    write_lines(folder / "rows.jsonl", row())
    with pytest.raises(RecipeError) as caught:
        source(path=str(folder), **settings)
    assert words in str(caught.value)


@pytest.mark.parametrize("source", [parquet, jsonl])
def test_a_path_without_files(tmp_path: Path, source: Any) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "*.x"):
        with pytest.raises(SourceError, match="give a file, a folder or a pattern"):
            source(path=str(path))


def test_no_readable_parquet_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("nothing")
    with pytest.raises(SourceError, match="none of the 1 files can be read as Parquet"):
        parquet(path=str(tmp_path))


def test_the_version_changes_with_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    path = str(tmp_path)
    seen = {version_jsonl(path=path)}
    assert version_jsonl(path=path, license="MIT") in seen
    (tmp_path / "notes.txt").write_text("no data")
    assert version_jsonl(path=path) in seen
    (tmp_path / "a.jsonl").write_text("{}\n{}\n")
    seen.add(version_jsonl(path=path))
    (tmp_path / "b.jsonl").write_text("{}\n")
    seen.add(version_jsonl(path=path))
    (tmp_path / "a.jsonl").unlink()
    seen.add(version_jsonl(path=path))
    assert len(seen) == 4
    with pytest.raises(SourceError, match=r"holds no \.parquet or \.pq file"):
        version_parquet(path=path)
