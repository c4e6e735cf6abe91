"""Whole exports: real Parquet there and back, nothing lost unseen, nothing half-written."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curation.errors import ExportError
from curation.exporters import (
    TARGETS,
    Background,
    ExportRow,
    ExportSettings,
    get_target,
    write_export,
)
from curation.tools import Tool, zoom

MakeImage = Callable[..., bytes]
MakeRow = Callable[..., ExportRow]


SMALL = ExportSettings(shard_bytes=60_000, group_bytes=20_000)
SMALLER = replace(SMALL, group_rows=4)


BACKGROUND = Background(
    [("rows", "all"), ("kept: rl", "4")], "seed = 1\n", {"direct": "a-model"}, {}
)


def is_picture(value: Any) -> bool:
    """Bytes, or what the Image feature of the target hub has made of them."""
    return bool(value["bytes"] if isinstance(value, dict) else value.size)


def read(folder: Path) -> list[dict[str, Any]]:
    paths = sorted(folder.glob("train-*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "records" / f"{name}.parquet").to_pylist()
    return rows


@pytest.mark.parametrize("target", TARGETS)
def test_rows_come_back_as_they_went_in(tmp_path: Path, make_row: MakeRow, target: str) -> None:
    examples = [make_row(target, number) for number in range(5)]
    summary = write_export(target, examples, tmp_path / target)
    assert (summary.rows, summary.rows_in, summary.left_out) == (5, 5, ())
    for example, row in zip(examples, read(tmp_path / target), strict=True):
        trajectory = example.trajectory
        index = trajectory.trajectory_id if trajectory else example.sample.sample_id
        assert row == get_target(target).row(example, index=index, split="train")
        assert [image["bytes"] for image in row["images"]] == example.images


@pytest.mark.parametrize("target", TARGETS)
def test_datasets_loads_the_shards(tmp_path: Path, make_row: MakeRow, target: str) -> None:
    from datasets import load_dataset

    out = tmp_path / target
    summary = write_export(target, (make_row(target, number) for number in range(40)), out, SMALLER)
    assert len(summary.shards) > 1
    files = [str(out / shard.name) for shard in summary.shards]
    loaded = load_dataset(
        "parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == 40
    assert loaded.column_names == get_target(target).SCHEMA.names
    assert loaded.data.schema.remove_metadata().equals(get_target(target).SCHEMA)
    # An image with null bytes would come back as another type or value here.
    assert all(is_picture(image) for row in loaded for image in row["images"])


def test_folder_loads_by_its_card_alone(tmp_path: Path, make_row: MakeRow) -> None:
    from datasets import load_dataset

    rows = [make_row("deepeyes"), replace(make_row("deepeyes", 2), split="val")]
    write_export("deepeyes", rows, tmp_path / "out")
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 1, "val": 1}


def test_shards_share_one_schema_and_keep_their_limits(tmp_path: Path, make_row: MakeRow) -> None:
    rows = (make_row("verl", number) for number in range(50))
    summary = write_export("verl", rows, tmp_path / "out", SMALLER)
    footers = [pq.ParquetFile(tmp_path / "out" / shard.name) for shard in summary.shards]
    assert len(footers) > 2
    assert all(footer.schema_arrow.equals(get_target("verl").SCHEMA) for footer in footers)
    sizes = [
        footer.metadata.row_group(group).num_rows
        for footer in footers
        for group in range(footer.num_row_groups)
    ]
    assert sum(sizes) == 50
    assert max(sizes) == 4
    assert all((tmp_path / "out" / s.name).stat().st_size == s.size for s in summary.shards)
    assert max(shard.size for shard in summary.shards) <= SMALL.shard_bytes


def test_rows_reach_the_disk_while_more_are_coming(tmp_path: Path, make_row: MakeRow) -> None:
    partial = tmp_path / ".out.partial"
    written: list[int] = []

    def rows() -> Iterator[ExportRow]:
        for number in range(40):
            written.append(sum(p.stat().st_size for p in partial.glob("train-*.parquet")))
            yield make_row("verl", number)

    write_export("verl", rows(), tmp_path / "out", ExportSettings(group_rows=8))
    assert written[0] == 0
    assert 0 < written[12] < written[24] < written[39]


def test_row_groups_are_closed_by_bytes_too(tmp_path: Path, make_row: MakeRow) -> None:
    picture = bytes(make_row("deepeyes").images[0])
    heavy = picture + bytes(6_000)
    rows = [make_row("deepeyes", number, images=[heavy]) for number in range(7)]
    summary = write_export("deepeyes", rows, tmp_path / "out", SMALL)
    file = pq.ParquetFile(tmp_path / "out" / summary.shards[0].name)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [2, 2, 2, 1]


def test_bad_rows_are_left_out_with_their_reason(
    tmp_path: Path, make_row: MakeRow, make_image: MakeImage
) -> None:
    rows = [
        make_row("deepeyes", 1),
        make_row("deepeyes", 2, images=[make_image(27, 27)]),
        make_row("deepeyes", 3, images=[b"no image"]),
        make_row("deepeyes", 4, answers=()),
        make_row("deepeyes", 5, category="search"),
        make_row("deepeyes", 6, question="What does <image> mean?"),
        make_row("deepeyes", 7, images=[make_image() + bytes(30_000)]),
        make_row("deepeyes", 1),
    ]
    summary = write_export("deepeyes", rows, tmp_path / "out", SMALL)
    reasons = [
        "image_side",
        "image_decodes",
        "ground_truth",
        "data_source",
        "placeholder_count",
        "row_size",
        "unique_index",
    ]
    assert summary.rows == 1
    assert summary.rows_in == len(rows)
    assert summary.left_out_by == dict.fromkeys(reasons, 1)
    assert [left.rule for left in summary.left_out] == reasons
    assert [left.sample_id for left in summary.left_out] == [r.sample.sample_id for r in rows[1:]]
    assert "27 by 27 pixels" in summary.left_out[0].sentence
    told = [(row["sample_id"], row["rule"]) for row in records(tmp_path / "out", "left_out")]
    assert told == [(left.sample_id, left.rule) for left in summary.left_out]


def test_sample_without_trajectory_is_no_sft_row(tmp_path: Path, make_row: MakeRow) -> None:
    rows = [make_row("deepeyes", 1), make_row("verl-sft", 2)]
    summary = write_export("verl-sft", rows, tmp_path / "out")
    assert (summary.rows, len(summary.left_out)) == (1, 1)


def test_an_export_can_take_one_dialect_alone(tmp_path: Path, make_row: MakeRow) -> None:
    rows = [make_row("verl-sft", 1), replace(make_row("verl-sft", 2), dialect="deepeyes")]
    settings = ExportSettings(dialect="deepeyes-v2")
    summary = write_export("verl-sft", rows, tmp_path / "out", settings)
    assert (summary.rows, summary.left_out_by) == (1, {"dialect": 1})
    assert "in deepeyes and the export takes deepeyes-v2 alone" in summary.left_out[0].sentence


def test_two_trajectories_of_a_sample_are_two_rows(tmp_path: Path, make_row: MakeRow) -> None:
    first = make_row("verl-sft")
    assert first.trajectory is not None
    second = replace(first, trajectory=replace(first.trajectory, trajectory_id="another"))
    assert write_export("verl-sft", [first, second], tmp_path / "out").rows == 2
    assert write_export("verl-sft", [first, first], tmp_path / "out").rows == 1


def test_provenance_tells_of_every_row_in_order(tmp_path: Path, make_row: MakeRow) -> None:
    rows = [make_row("verl-sft", 1), replace(make_row("verl-sft", 2), benefit=None)]
    write_export("verl-sft", rows, tmp_path / "out")
    first, second = records(tmp_path / "out", "provenance")
    sample, trajectory = rows[0].sample, rows[0].trajectory
    assert trajectory is not None
    expected = {
        "position": 0,
        "row_id": trajectory.trajectory_id,
        "sample_id": sample.sample_id,
        "source": "charts",
        "origin_id": "chart-1",
        "origin": "easy-vqa 1.0",
        "license": "MIT",
        "trajectory_id": trajectory.trajectory_id,
        "image_ids": list(trajectory.image_ids),
        "direct_attempts": 8,
        "direct_right": 2,
        "tools_right": 6,
        "tools_unscored": 1,
    }
    assert expected.items() <= first.items()
    assert second["position"] == 1
    assert second["tools_right"] is None


@pytest.mark.parametrize("target", TARGETS)
def test_card_tells_counts_licenses_and_launch(
    tmp_path: Path, make_row: MakeRow, make_image: MakeImage, target: str
) -> None:
    rows = [make_row(target, n, license=f"L{n % 2}") for n in range(4)]
    rows.append(make_row(target, 9, images=[make_image(20, 20)]))
    summary = write_export(target, rows, tmp_path / "out", background=BACKGROUND)
    card = (tmp_path / "out" / "README.md").read_text()
    for line in (
        "| kept: rl | 4 |",
        "| direct | a-model |",
        "toolsight run records/recipe.toml",
        "| charts | chart | L0 | 2 |",
        "Rows in: 5. Passed every rule and are here: 4. Left out: 1.",
        "| image_side | 1 |",
        "license: other",
        "| images | `list<item: struct<bytes: binary, path: string>>` |",
    ):
        assert line in card
    for path in (tmp_path / "out").iterdir():
        if path.suffix in (".sh", ".yaml", ".py"):
            assert path.read_text() in card
    manifest = json.loads((tmp_path / "out" / "export.json").read_text())
    assert manifest["target"] == target
    assert manifest["left_out"] == summary.left_out_by
    assert manifest["shards"] == [
        {"name": s.name, "rows": 4, "size": s.size} for s in summary.shards
    ]


def test_card_tells_the_mix_the_evidence_and_what_pairs_prefer(
    tmp_path: Path, make_row: MakeRow
) -> None:
    mix = (("by", "value", "wanted"), ("tool calls", "2", "50.0%"))
    figures = (("trajectories: answers right with observations blank", "1 of 4 (25.0%)"),)
    background = replace(BACKGROUND, mix=mix, evidence=figures)
    write_export("trl-dpo", [make_row("trl-dpo")], tmp_path / "out", background=background)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| tool calls | 2 | 50.0% |" in card
    assert "| trajectories: answers right with observations blank | 1 of 4 (25.0%) |" in card
    assert "in 1 of 1 pairs each side is the one turn in which they part" in card
    assert "| correct | 1 |" in card


def test_provenance_tells_both_rollouts_of_a_pair(tmp_path: Path, make_row: MakeRow) -> None:
    example = make_row("ms-swift-dpo")
    assert example.pair is not None
    write_export("ms-swift-dpo", [example], tmp_path / "out")
    (told,) = records(tmp_path / "out", "provenance")
    assert told["row_id"] == example.pair.pair_id
    assert told["rollout_id"] == example.pair.chosen_rollout
    assert told["rejected_rollout_id"] == example.pair.rejected_rollout
    assert (told["rejected_by"], told["step"]) == (["correct"], True)
    assert told["image_ids"] == list(example.pair.image_ids)


def test_card_says_when_rows_were_measured_in_another_dialect(
    tmp_path: Path, make_row: MakeRow
) -> None:
    write_export("deepeyes", [make_row("deepeyes")], tmp_path / "v1")
    write_export("deepeyes-v2", [make_row("deepeyes-v2")], tmp_path / "v2")
    assert "another dialect" in (tmp_path / "v1" / "README.md").read_text()
    assert "another dialect" not in (tmp_path / "v2" / "README.md").read_text()


def test_prompts_offer_only_the_tools_that_the_environment_has(
    tmp_path: Path, make_row: MakeRow
) -> None:
    tools = (Tool("search", zoom), Tool("measure", zoom))
    example = replace(make_row("deepeyes-v2"), tools=tools)
    (shard,) = write_export("deepeyes-v2", [example], tmp_path / "v2").shards
    prompt = pq.read_table(tmp_path / "v2" / shard.name)["prompt"][0].as_py()
    assert '"name": "search"' in prompt[0]["content"]
    assert '"name": "measure"' not in prompt[0]["content"]
    assert "do not offer: measure." in (tmp_path / "v2" / "README.md").read_text()


@pytest.mark.parametrize("target", TARGETS)
def test_export_of_no_rows_has_a_card_and_no_shards(tmp_path: Path, target: str) -> None:
    summary = write_export(target, [], tmp_path / "out")
    assert (summary.rows, summary.shards) == (0, ())
    assert not list((tmp_path / "out").glob("*.parquet"))
    assert records(tmp_path / "out", "left_out") == []
    assert "There are no rows to train on." in (tmp_path / "out" / "README.md").read_text()


def interrupted(rows: list[ExportRow], error: BaseException) -> Iterator[ExportRow]:
    yield from rows
    raise error


@pytest.mark.parametrize("error", [RuntimeError("lost"), KeyboardInterrupt()])
def test_interrupted_export_leaves_nothing(
    tmp_path: Path, make_row: MakeRow, error: BaseException
) -> None:
    rows = interrupted([make_row("verl", number) for number in range(40)], error)
    with pytest.raises(type(error)):
        write_export("verl", rows, tmp_path / "exports" / "verl", SMALL)
    assert list((tmp_path / "exports").iterdir()) == []


def test_interrupted_export_keeps_the_earlier_one(tmp_path: Path, make_row: MakeRow) -> None:
    out = tmp_path / "verl"
    write_export("verl", [make_row("verl", 1)], out)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    with pytest.raises(RuntimeError):
        write_export("verl", interrupted([make_row("verl", 2)], RuntimeError("lost")), out)
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    assert list(tmp_path.iterdir()) == [out]


def test_export_again_replaces_all_of_the_earlier_one(tmp_path: Path, make_row: MakeRow) -> None:
    out = tmp_path / "verl"
    first = write_export("verl", (make_row("verl", n) for n in range(50)), out, SMALLER)
    assert len(first.shards) > 1
    write_export("verl", [make_row("verl", 99)], out)
    assert [path.name for path in out.glob("*.parquet")] == ["train-00000.parquet"]
    assert [row["extra_info"]["answer"] for row in read(out)] == ["99"]
    assert list(tmp_path.iterdir()) == [out]


def test_folder_of_somebody_else_is_refused(tmp_path: Path, make_row: MakeRow) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="is no export of Toolsight"):
        write_export("verl", [make_row("verl")], tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"group_rows": 65}, "group_rows is 65"),
        ({"group_rows": 0}, "group_rows is 0"),
        ({"shard_bytes": 1 << 31}, "loaders fail beyond"),
        ({"images": "folder"}, "write inline or files"),
        ({"val_share": 1.0}, "from 0 to below 1"),
        ({"min_side": 8}, "no image below 28"),
        ({"max_tokens": 0}, "a positive number"),
        ({"dialect": "v3"}, "dialect is 'v3': choose one of direct"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ExportSettings(**settings)


@pytest.mark.parametrize(
    ("target", "settings", "sentence"),
    [
        ("verl", ExportSettings(shard_bytes=1000, group_bytes=999), "shard_bytes 1000"),
        ("verl", ExportSettings(images="files"), "verl cannot read images beside"),
    ],
)
def test_settings_that_a_target_cannot_keep_are_refused(
    tmp_path: Path, make_row: MakeRow, target: str, settings: ExportSettings, sentence: str
) -> None:
    with pytest.raises(ExportError, match=sentence):
        write_export(target, [make_row(target)], tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_full_disk_is_told_in_one_sentence(tmp_path: Path, make_row: MakeRow) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(ExportError, match="is full, so nothing was written"):
        write_export("verl", interrupted([make_row("verl")], full), tmp_path / "verl")
    assert list(tmp_path.iterdir()) == []


def test_files_are_stored_once_and_named_by_relative_paths(
    tmp_path: Path, make_row: MakeRow, make_image: MakeImage
) -> None:
    shared = make_image(seed=3)
    rows = [make_row("llamafactory", number, images=[shared]) for number in (1, 2)]
    out = tmp_path / "out"
    write_export("llamafactory", rows, out, ExportSettings(images="files"))
    first, second = (row["images"] for row in read(out))
    assert first[0] == second[0]
    assert (out / first[0]).read_bytes() == shared
    assert len(list(out.glob("images/*/*"))) == 3


def test_pixel_budget_leaves_rows_out_and_never_resizes(
    tmp_path: Path, make_row: MakeRow, make_image: MakeImage
) -> None:
    sides = (40, 64, 300)
    rows = [make_row("verl", n, images=[make_image(n, n, seed=n)]) for n in sides]
    settings = ExportSettings(min_side=50, max_pixels=100 * 100)
    summary = write_export("verl", rows, tmp_path / "out", settings)
    assert (summary.rows, summary.left_out_by) == (1, {"image_pixels": 2})
    assert read(tmp_path / "out")[0]["images"][0]["bytes"] == rows[1].images[0]


def test_image_on_both_sides_is_not_published(
    tmp_path: Path, make_row: MakeRow, make_image: MakeImage
) -> None:
    shared = make_image()
    rows = [make_row("verl", 1, images=[shared]), make_row("verl", 2, images=[shared])]
    rows[1] = replace(rows[1], split="val")
    with pytest.raises(ExportError, match=r"is not published: .* breaks split_images"):
        write_export("verl", rows, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_croissant_describes_every_split_and_column(tmp_path: Path, make_row: MakeRow) -> None:
    rows = [make_row("hub", 1), replace(make_row("hub", 2), split="val")]
    write_export("hub", rows, tmp_path / "out")
    page = json.loads((tmp_path / "out" / "croissant.json").read_text())
    assert page["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert page["license"] == ["MIT"]
    assert [files["includes"] for files in page["distribution"]] == [
        "train-*.parquet",
        "val-*.parquet",
    ]
    columns = [field["source"]["extract"]["column"] for field in page["recordSet"][0]["field"]]
    assert columns == get_target("hub").SCHEMA.names


def test_hub_export_loads_with_pictures_and_splits(tmp_path: Path, make_row: MakeRow) -> None:
    from datasets import load_dataset

    rows = [make_row("hub", 1), replace(make_row("hub", 2), split="val")]
    write_export("hub", rows, tmp_path / "out")
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "val"}
    assert loaded["val"][0]["images"][0].size == (64, 64)
