"""`check-export`: broken shard sets and rows on disk, each refused by its rule."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from curation.cli import app
from curation.embedded import CHECKPOINT
from curation.errors import ExportError
from curation.exporters import TARGETS, ExportRow, ExportSettings, check_exports, write_export
from tests.curation.exporters.mutations import IMAGES, KINDS, set_image

MakeRow = Callable[..., ExportRow]
Break = Callable[[Path], object]

SETTINGS = ExportSettings(group_rows=2, group_bytes=5_000, shard_bytes=45_000)


@pytest.fixture
def export(tmp_path: Path, make_row: MakeRow) -> Callable[..., Path]:
    """Writes an export of several shards, two of them in the split val."""

    def make(target: str = "deepeyes", *, first: int = 0, **settings: Any) -> Path:
        out = tmp_path / f"{target}-{first}"
        numbers = range(first, first + 16)
        rows = [replace(make_row(target, n), split="val" if n % 4 else "train") for n in numbers]
        write_export(target, rows, out, replace(SETTINGS, **settings))
        return out

    return make


def first(folder: Path) -> Path:
    return sorted(folder.glob("train-*.parquet"))[0]


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table], **options: Any) -> None:
    """The shard with a changed table, as somebody else's script would write it."""
    pq.write_table(change(pq.read_table(path)), path, **options)


def cast(column: str, kind: pa.DataType) -> Break:
    """One shard's column in another type."""

    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(column)
        values = pa.array(table[column].to_pylist(), kind)
        return table.set_column(place, pa.field(column, kind), values)

    return lambda folder: rewrite(first(folder), change)


def columns(change: Callable[[pa.Table], pa.Table]) -> Break:
    return lambda folder: rewrite(first(folder), change)


def numbered(table: pa.Table) -> pa.Table:
    """`index` as a number, which another shard has as a text."""
    rows = table.to_pylist()
    for number, row in enumerate(rows):
        row["extra_info"]["index"] = number
    return pa.Table.from_pylist(rows)


def stretched(path: Path) -> None:
    """One row group of more rows than loaders should combine."""
    row = pq.read_table(path).slice(0, 1)
    pq.write_table(pa.concat_tables([row] * 65), path, row_group_size=65)


def reorder(folder: Path) -> None:
    path = folder / "records" / "provenance.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)


def share_an_image(folder: Path) -> None:
    path = folder / "records" / "provenance.parquet"
    table = pq.read_table(path)
    same = [["0" * 64]] * len(table)
    place = table.schema.get_field_index("image_ids")
    pq.write_table(table.set_column(place, "image_ids", pa.array(same)), path)


def swap_members(table: pa.Table) -> pa.Table:
    kind = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))
    place = table.schema.get_field_index("prompt")
    return table.set_column(place, pa.field("prompt", kind), table["prompt"].cast(kind))


LARGE_IMAGES = pa.list_(pa.struct([("bytes", pa.large_binary()), ("path", pa.string())]))
LARGE_LIST = pa.large_list(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
BYTES_ONLY = pa.list_(pa.struct([("bytes", pa.binary())]))

SETS: list[tuple[str, str, Break]] = [
    ("shards", "a shard is gone", lambda f: first(f).unlink()),
    ("shards", "a foreign shard", lambda f: shutil.copy(first(f), f / "train-99999.parquet")),
    ("shards", "a shard in a folder", lambda f: (f / "old").mkdir()
        or shutil.copy(first(f), f / "old" / "a.parquet")),
    ("readable", "no Parquet", lambda f: first(f).write_bytes(b"PAR1")),
    ("readable", "empty file", lambda f: first(f).write_bytes(b"")),
    ("readable", "cut off", lambda f: first(f).write_bytes(first(f).read_bytes()[:-100])),
    ("schema", "column missing", columns(lambda t: t.drop_columns(["ability"]))),
    ("schema", "images missing", columns(lambda t: t.drop_columns(["images"]))),
    ("schema", "column more", columns(lambda t: t.append_column("videos", t["ability"]))),
    ("schema", "column order", columns(lambda t: t.select(t.column_names[::-1]))),
    ("schema", "member order", columns(swap_members)),
    ("schema", "index is a number", columns(numbered)),
    ("schema", "large_string", cast("ability", pa.large_string())),
    ("schema", "dictionary", cast("ability", pa.dictionary(pa.int32(), pa.string()))),
    ("schema", "large_binary", cast("images", LARGE_IMAGES)),
    ("schema", "large_list", cast("images", LARGE_LIST)),
    ("schema", "bytes without path", cast("images", BYTES_ONLY)),
    ("schema", "null column", columns(
        lambda t: t.set_column(3, "ability", pa.nulls(len(t))))),
    ("schema", "prompt as JSON", columns(
        lambda t: t.set_column(1, "prompt", pa.array(["[]"] * len(t))))),
    ("metadata", "datasets", columns(lambda t: t.replace_schema_metadata({"huggingface": "{}"}))),
    ("metadata", "pandas", columns(lambda t: t.replace_schema_metadata({"pandas": "{}"}))),
    ("row_count", "rows lost", columns(lambda t: t.slice(1))),
    ("row_count", "no rows", columns(lambda t: t.slice(0, 0))),
    ("row_groups", "large group", lambda f: stretched(first(f))),
    ("provenance", "gone", lambda f: (f / "records" / "provenance.parquet").unlink()),
    ("provenance", "a line lost", reorder),
    ("split_images", "image on both sides", share_an_image),
    ("launch_files", "shard not named", lambda f: (f / "train.sh").write_text("true")),
]  # fmt: skip


def found(*folders: Path, **options: Any) -> set[str]:
    return {finding.rule for finding in check_exports(folders, **options)}


@pytest.mark.parametrize("target", TARGETS)
def test_unbroken_export_is_accepted(export: Callable[..., Path], target: str) -> None:
    assert list(check_exports([export(target)])) == []


@pytest.mark.parametrize(("rule", "what", "spoil"), SETS)
def test_broken_set_is_refused_by_its_rule(
    export: Callable[..., Path], rule: str, what: str, spoil: Break
) -> None:
    folder = export()
    spoil(folder)
    assert rule in found(folder), what


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("rule", "mutate"), [case for case in IMAGES if case[0] != "types"])
def test_broken_row_on_disk_is_named(
    export: Callable[..., Path], target: str, rule: str, mutate: Callable[[Any], object]
) -> None:
    folder = export(target)
    path = first(folder)

    def change(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        mutate(rows[1])
        return pa.Table.from_pylist(rows, table.schema)

    rewrite(path, change)
    (finding,) = check_exports([folder])
    assert (finding.where, finding.rule) == (f"{path} row 1", rule)


def test_at_least_sixty_kinds_are_tried() -> None:
    assert KINDS + len(SETS) >= 60


def test_launch_file_that_is_no_json_is_refused(export: Callable[..., Path]) -> None:
    folder = export("llamafactory")
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace("\n}", ",\n}"))  # as the one of DeepEyesV2
    assert found(folder) == {"launch_files"}


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda folder: next(folder.glob("images/*/*")).unlink(), "image_decodes"),
        (lambda folder: next(folder.glob("images/*/*")).write_bytes(b"no"), "image_decodes"),
        (lambda folder: rewrite(first(folder), lambda t: renamed(t, "/etc/hostname")),
         "image_decodes"),
        (lambda folder: rewrite(first(folder), lambda t: renamed(t, "../a.png")), "image_decodes"),
    ],
)  # fmt: skip
def test_image_files_are_checked(export: Callable[..., Path], spoil: Break, rule: str) -> None:
    folder = export("llamafactory", images="files")
    assert found(folder) == set()
    spoil(folder)
    assert found(folder) == {rule}


def renamed(table: pa.Table, name: str) -> pa.Table:
    rows = table.to_pylist()
    rows[0]["images"][0] = name
    return pa.Table.from_pylist(rows, table.schema)


def test_two_exports_are_checked_as_one_set(export: Callable[..., Path]) -> None:
    one, two = export(first=0), export(first=100)
    assert found(one, two) == set()
    assert found(one, two, target="verl") == {"schema"}
    overlapping = export(first=8)
    assert "unique_index" in found(one, overlapping)


def test_lengths_are_those_that_are_asked_for(export: Callable[..., Path]) -> None:
    prompts, conversations = export("deepeyes-v2"), export("llamafactory")
    assert found(prompts, max_prompt_tokens=20) == {"length"}
    assert found(conversations, cutoff=20) == {"length"}
    assert found(prompts, max_prompt_tokens=9000) == set()
    with pytest.raises(ExportError, match="cutoff for conversations of SFT targets"):
        check_exports([prompts], cutoff=20)


def test_processor_counts_exactly(export: Callable[..., Path]) -> None:
    (finding, *_) = check_exports([export("verl")], processor=str(CHECKPOINT), max_prompt_tokens=20)
    assert f"counted with the processor in {CHECKPOINT}" in finding.sentence


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["check-export", *map(str, arguments)])


def test_command_tells_and_its_exit_code_too(export: Callable[..., Path]) -> None:
    folder = export("verl")
    done = call(folder, "--target", "verl")
    assert (done.exit_code, done.stdout) == (0, "every rule holds on every row\n")

    def change(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        set_image(rows[0], b"no image")
        return pa.Table.from_pylist(rows, table.schema)

    rewrite(first(folder), change)
    done = call(folder)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{first(folder)} row 0: image_decodes: images[0] cannot be")
    assert done.stderr == "the trainer's contract is broken: image_decodes 1\n"


def other_family(folder: Path) -> Path:
    other = folder / "other"
    other.mkdir()
    text = json.dumps({"image_processor_type": "LlavaNextImageProcessor"})
    (other / "preprocessor_config.json").write_text(text)
    return other


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (lambda folder, tmp: [tmp / "nowhere"], "there is no folder"),
        (lambda folder, tmp: [tmp], "has no export.json, so it is no export of Toolsight"),
        (lambda folder, tmp: [folder, "--target", "vrl"], "no export target 'vrl': choose one of"),
        (lambda folder, tmp: [folder, "--processor", tmp], "there is no processor in"),
        (lambda folder, tmp: [folder, "--processor", other_family(tmp)], "is of another family"),
        (lambda folder, tmp: [folder, "--cutoff", "5"], "cutoff for conversations"),
    ],
)
def test_bad_input_is_one_sentence(
    export: Callable[..., Path], tmp_path: Path, arguments: Callable[..., Any], sentence: str
) -> None:
    done = call(*arguments(export("verl"), tmp_path))
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ") and sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_empty_folder_and_broken_manifest_are_told(tmp_path: Path) -> None:
    assert f"{tmp_path} is empty, so it is no export" in call(tmp_path).stderr
    (tmp_path / "export.json").write_text("{}")
    assert "cannot be read" in call(tmp_path).stderr
