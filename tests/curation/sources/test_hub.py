"""Local snapshots through `datasets`: pinning, images as stored, licenses, faults."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import datasets
import PIL.Image
import pytest

from curation.errors import RecipeError, SourceError
from curation.sources.base import BadRow, RawSample
from curation.sources.hub import hub, version_hub
from curation.sources.presets import PRESETS

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def encoded(colour: str, form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (32, 32), colour).save(buffer, form)
    return buffer.getvalue()


RED, BLUE = encoded("red"), encoded("blue", "WEBP")
FEATURES = datasets.Features(
    {
        "question": datasets.Value("string"),
        "answer": datasets.ClassLabel(names=["red", "blue"]),
        "image": datasets.Image(),
        "others": datasets.List(datasets.Image()),
    }
)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Two rows, one image by bytes and one by path, as `to_parquet` leaves them."""
    folder = tmp_path / "snapshot"
    (folder / "data").mkdir(parents=True)
    blue = str(folder / "blue.webp")
    Path(blue).write_bytes(BLUE)
    rows = {
        "question": ["Which colour?"] * 2,
        "answer": [0, 1],
        "image": [{"bytes": RED, "path": "a.jpg"}, {"bytes": None, "path": blue}],
        "others": [[], [{"bytes": RED, "path": None}, {"bytes": None, "path": blue}]],
    }
    table = datasets.Dataset.from_dict(rows, features=FEATURES)
    table.to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    return folder


def read(folder: Path, **settings: Any) -> list[Any]:
    cache = str(folder.parent / "cache")
    return list(hub(dataset=str(folder), split="train", cache_dir=cache, **settings))


@pytest.mark.parametrize("streaming", [False, True])
def test_images_pass_as_stored_and_class_labels_become_names(
    snapshot: Path, streaming: bool
) -> None:
    columns = {"image": ["image", "others"], "metadata": "answer"}
    first, second = read(snapshot, streaming=streaming, columns=columns)
    assert first.images == (RED,)
    assert second.images == (BLUE, RED, BLUE)
    assert (first.answers, second.answers) == (("red",), ("blue",))
    assert second.metadata == {"answer": "blue"}
    assert (first.origin_id, second.origin_id) == ("train#0", "train#1")
    assert (first.origin, first.license) == (str(snapshot), "unknown")


def test_a_given_revision_is_recorded(snapshot: Path) -> None:
    assert read(snapshot, revision=COMMIT)[0].origin == f"{snapshot}@{COMMIT}"


def test_the_license_is_the_setting_or_the_card_or_the_preset(snapshot: Path) -> None:
    (snapshot / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# A card\n")
    assert read(snapshot)[0].license == "cc-by-4.0"
    assert read(snapshot, license="mit")[0].license == "mit"
    (snapshot / "README.md").write_text("---\nlicense:\n- mit\n- odc-by\n---\n# A card\n")
    assert read(snapshot)[0].license == "mit, odc-by"


def test_a_path_outside_the_snapshot_is_a_bad_row(snapshot: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (snapshot / "data").rename(other / "data")
    good, bad = read(other)
    assert isinstance(good, RawSample) and isinstance(bad, BadRow)
    assert bad.error == "image_outside_root"
    assert isinstance(read(other, image_root=str(snapshot))[1], RawSample)


@pytest.mark.parametrize("revision", [None, "main", "v1.0", "b605b6e"])
def test_a_name_on_the_hub_needs_a_commit(revision: str | None) -> None:
    with pytest.raises(RecipeError, match="set revision to a commit of 40 hexadecimal digits"):
        hub(dataset="HuggingFaceM4/ChartQA", split="train", revision=revision)


def test_a_preset_brings_name_files_and_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def load(**call: Any) -> datasets.Dataset:
        calls.append(call)
        return datasets.Dataset.from_dict({"questionId": [], "question": [], "answers": []})

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(RecipeError, match="lmms-lab/DocVQA has no column 'image'"):
        list(hub(preset="docvqa", split="validation"))
    assert calls[0]["path"] == "lmms-lab/DocVQA"
    assert calls[0]["name"] == "DocVQA"
    assert len(calls[0]["revision"]) == 40


def test_wrong_settings_are_found_before_loading() -> None:
    with pytest.raises(RecipeError, match="hub needs dataset"):
        hub(split="train")
    with pytest.raises(RecipeError, match="hub needs dataset"):
        hub(split="train", preset="tallyqa")
    with pytest.raises(RecipeError, match="did you mean 'textvqa'"):
        hub(split="train", preset="text-vqa")
    with pytest.raises(RecipeError, match="answer_kind"):
        hub(split="train", dataset=".", answer_kind="words")


def test_an_unknown_split_and_an_unreachable_hub(snapshot: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"the split 'dev' of .* cannot be loaded"):
        list(hub(dataset=str(snapshot), split="dev", cache_dir=str(tmp_path / "cache")))
    with pytest.raises(SourceError, match="check dataset, name, split, data_files and the network"):
        list(hub(dataset="a/b", split="x", revision=COMMIT, cache_dir=str(tmp_path / "cache")))


def test_a_column_that_the_data_set_lacks(snapshot: Path) -> None:
    with pytest.raises(RecipeError, match="no column 'query'; it has question, answer, image"):
        read(snapshot, columns={"question": "query"})


def test_the_version_is_the_commit_or_what_lies_in_the_folder(snapshot: Path) -> None:
    pinned = PRESETS["chartqa"].revision
    assert version_hub(preset="chartqa", split="train") == pinned
    assert version_hub(preset="chartqa", revision=COMMIT) == COMMIT
    assert version_hub(dataset="a/b", revision=COMMIT) == COMMIT
    before = version_hub(dataset=str(snapshot))
    assert version_hub(dataset=str(snapshot), split="test") == before
    (snapshot / "more.txt").write_text("more")
    assert version_hub(dataset=str(snapshot)) != before
