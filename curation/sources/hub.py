"""Samples from data sets of the Hugging Face hub, or of a local copy of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.errors import RecipeError, SourceError
from curation.sources.base import Row
from curation.sources.columns import read_rows
from curation.sources.layout import Layout, make_layout
from curation.sources.presets import get_preset
from curation.sources.tabular import (
    BATCH_ROWS,
    check_columns,
    files_version,
    number_rows,
    read_columns,
)

_COMMIT = re.compile(r"[0-9a-f]{40}")


def hub(
    *,
    split: str,
    dataset: str | None = None,
    revision: str | None = None,
    name: str | None = None,
    streaming: bool = False,
    data_dir: str | None = None,
    data_files: str | list[str] | None = None,
    cache_dir: str | None = None,
    columns: Mapping[str, object] | None = None,
    preset: str | None = None,
    image_root: str | None = None,
    category: str | None = None,
    answer_kind: str | None = None,
    license: str | None = None,
    box_format: str | None = None,
    box_scale: str | None = None,
    max_answer_chars: int | None = None,
) -> Iterator[Row]:
    """Rows of a split, read through `datasets.load_dataset`; other settings as
    for `curation.sources.tabular.parquet`.

    split: such as `train`
    revision: commit of the data set; another one later on has only new rows taken
    name: the data set's configuration
    streaming: read over the network instead of downloading first
    data_dir, data_files, cache_dir: as `datasets.load_dataset` takes them

    `dataset` is a name on the hub or a local folder; a preset brings its own name, configuration,
    files and revision. On the hub the revision must be a commit, because branches and tags move;
    it is recorded in each sample's origin. Images are handed on as the data set stores them: they
    are never decoded. Paths of images that it stores by path are looked up in `image_root`, by
    default the local folder or the download cache. The license is the one set here, or else the
    data set's own, or else the preset's.

    Raises `RecipeError` at once for wrong settings; with the first row, `SourceError` when the
    data set cannot be loaded and `RecipeError` when a column is missing.
    """
    known = get_preset(preset) if preset else None
    layout = make_layout(
        known.layout if known else None,
        columns,
        category=category,
        answer_kind=answer_kind,
        box_format=box_format,
        box_scale=box_scale,
        max_answer_chars=max_answer_chars,
    )
    wanted = dataset or (known.dataset if known else None)
    if wanted is None:
        raise RecipeError("hub needs dataset: a name such as HuggingFaceM4/ChartQA, or a folder")
    if known and wanted == known.dataset:
        revision = revision or known.revision
        name = name or known.name
        data_files = data_files or known.data_files
    if not Path(wanted).is_dir():
        _check_revision(wanted, revision)
    call = {
        "path": wanted,
        "name": name,
        "split": split,
        "revision": revision,
        "streaming": streaming,
        "data_dir": data_dir,
        "data_files": data_files,
        "cache_dir": cache_dir,
    }
    return _rows(call, layout, image_root, license)


def version_hub(
    *,
    dataset: str | None = None,
    preset: str | None = None,
    revision: str | None = None,
    **_: object,
) -> str:
    """The commit that would be read, or for a local folder what changes with its files."""
    known = get_preset(preset) if preset else None
    wanted = dataset or (known and known.dataset) or ""
    if Path(wanted).is_dir():
        return files_version(sorted(file for file in Path(wanted).rglob("*") if file.is_file()))
    pinned = known.revision if known and wanted == known.dataset else None
    return revision or pinned or ""


def _check_revision(dataset: str, revision: str | None) -> None:
    if revision is None or not _COMMIT.fullmatch(revision):
        raise RecipeError(
            f"{dataset} is no local folder and its revision is {revision!r}, which does not fix "
            "the data; set revision to a commit of 40 hexadecimal digits, as listed under "
            "Files and versions"
        )


def _rows(
    call: Mapping[str, Any], layout: Layout, image_root: str | None, license: str | None
) -> Iterator[Row]:
    loaded = _load(call)
    present = list(loaded.features or {})
    if present:
        check_columns(layout, present, call["path"])
        loaded = loaded.select_columns(read_columns(layout, present))
    layout = replace(layout, license=license or _card_license(call) or layout.license)
    origin = f"{call['path']}@{call['revision']}" if call["revision"] else call["path"]
    label = "/".join(part for part in (call["name"], call["split"]) if part)
    root = Path(image_root) if image_root else _default_root(call["path"])
    seen: set[int] = set()
    start = 0
    for batch in _batches(loaded, call["path"]):
        rows = number_rows(_name_classes(batch, loaded.features), label, start)
        start += len(rows)
        yield from read_rows(rows, layout, origin=origin, root=root, seen=seen)


def _load(call: Mapping[str, Any]) -> Any:
    import datasets

    try:
        return datasets.load_dataset(**call)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise SourceError(
            f"the split {call['split']!r} of {call['path']} cannot be loaded "
            f"({type(error).__name__}: {' '.join(str(error).split())[:300]}); check dataset, name, "
            "split, data_files and the network"
        ) from error


def _batches(loaded: Any, path: str) -> Iterator[pa.Table]:
    """Arrow tables: in this format images stay the `{bytes, path}` structs that they are stored
    as, in lists too, whereas the others decode them and lose the encoded bytes."""
    try:
        yield from loaded.with_format("arrow").iter(batch_size=BATCH_ROWS)
    except OSError as error:
        raise SourceError(
            f"reading {path} stopped ({type(error).__name__}: {error}); run again to go on"
        ) from error


def _name_classes(batch: pa.Table, features: Mapping[str, Any] | None) -> pa.Table:
    """The names of class labels in place of their numbers, which mean nothing outside."""
    import datasets

    for name, feature in (features or {}).items():
        if isinstance(feature, datasets.ClassLabel):
            at = batch.schema.get_field_index(name)
            # -1 stands for an unlabelled row.
            labels = [
                feature.int2str(number) if number is not None and number >= 0 else None
                for number in batch.column(at).to_pylist()
            ]
            batch = batch.set_column(at, name, pa.array(labels, pa.string()))
    return batch


def _card_license(call: Mapping[str, Any]) -> str:
    """What the card of the data set declares; empty when there is no card or no license in it."""
    import huggingface_hub

    try:
        card = Path(call["path"]) / "README.md"
        if not Path(call["path"]).is_dir():
            card = Path(
                huggingface_hub.hf_hub_download(
                    call["path"], "README.md", repo_type="dataset", revision=call["revision"]
                )
            )
        declared = huggingface_hub.DatasetCard.load(card).data.get("license")
    except (OSError, ValueError):
        return ""
    return ", ".join(declared) if isinstance(declared, list) else str(declared or "")


def _default_root(path: str) -> Path:
    import datasets

    return Path(path) if Path(path).is_dir() else Path(datasets.config.HF_CACHE_HOME)
