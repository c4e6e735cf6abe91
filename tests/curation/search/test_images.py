"""Image search: by the published cache's layout, and by how an image looks."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.errors import SourceError, ToolError
from curation.images import decode, encode_png
from curation.search.image_set import SCHEMA, SIDE, build_image_set
from curation.search.images import open_cache, open_image_set
from curation.search.perceptual import distances, perceptual_hash


def picture(seed: int, width: int = 160, height: int = 120) -> Image.Image:
    """Smooth patches of colour, different for every seed."""
    cells = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "train").mkdir()
    good = encode_png(picture(1))
    (tmp_path / "train" / "0.png").write_bytes(good)
    (tmp_path / "train" / "3.png").write_bytes(good[:200])
    (tmp_path / "train" / "4.png").write_bytes(encode_png(picture(2, 40, 9)))
    (tmp_path / "train" / "5.png").write_bytes(encode_png(picture(3)))
    entries: dict[str, Any] = {
        "fvqa_train_0": {
            "tool_returned_web_title": ["A", "null", "missing", "damaged", "thin", "B", "short"],
            "cached_images_path": [
                "train/0.png",
                None,
                "train/2.png",
                "train/3.png",
                "train/4.png",
                "train/5.png",
            ],
        },
        "fvqa_train_1": {
            "tool_returned_web_title_list": ["Linked"],
            "tool_returned_images_urls": ["https://image"],
        },
        "fvqa_train_2": {"tool_returned_web_title": None},
        "fvqa_train_3": ["not", "an", "entry"],
    }
    path = tmp_path / "cache.json"
    path.write_text(json.dumps(entries))
    return path


def test_a_cached_question_gives_titles_and_the_thumbnails_that_can_be_shown(cache: Path) -> None:
    found = open_cache(cache).search("fvqa_train_0", 5).results
    assert [each.title for each in found] == ["A", "B"]
    assert found[0].image == (cache.parent / "train" / "0.png").read_bytes()
    assert len(open_cache(cache).search("fvqa_train_0", 1).results) == 1


def test_the_other_published_layout_gives_links(cache: Path) -> None:
    (found,) = open_cache(cache).search("fvqa_train_1", 5).results
    assert (found.title, found.url, found.image) == ("Linked", "https://image", None)
    assert open_cache(cache).search("fvqa_train_2", 5).results == ()


def test_images_may_lie_elsewhere(cache: Path, tmp_path: Path) -> None:
    assert open_cache(cache, tmp_path / "nowhere").search("fvqa_train_0", 5).results == ()
    assert len(open_cache(cache, tmp_path).search("fvqa_train_0", 5).results) == 2


@pytest.mark.parametrize("data_id", ["fvqa_train_9", "", "fvqa_train_3"])
def test_a_question_that_is_not_cached_is_told(cache: Path, data_id: str) -> None:
    with pytest.raises(ToolError, match="no image search was made"):
        open_cache(cache).search(data_id, 5)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\x80\x04\x95pickle", b'"text"'])
def test_what_is_no_cache_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cache.json").write_bytes(content)
    with pytest.raises(SourceError, match="no image search cache"):
        open_cache(tmp_path / "cache.json")
    with pytest.raises(SourceError, match="no image search cache"):
        open_cache(tmp_path / "none.json")


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    (folder / "pictures").mkdir()
    for seed in range(150):
        picture(seed).save(folder / "pictures" / f"number_{seed}.bmp")
    (folder / "pictures" / "broken.png").write_bytes(b"\x89PNG and nothing")
    built = build_image_set([str(folder / "pictures")], folder / "set.parquet")
    assert (built.images, built.skipped) == (150, 1)
    assert "broken.png: its 16 bytes" in built.first_bad
    return folder / "set.parquet"


@pytest.mark.parametrize("seed", [0, 77, 149])
def test_the_same_picture_in_another_size_and_encoding_is_found(image_set: Path, seed: int) -> None:
    query = jpeg(picture(seed).resize((80, 60)), quality=40)
    found = open_image_set(image_set).search(query, 3, radius=8).results
    assert [each.title for each in found] == [f"number {seed}"]
    assert found[0].url.endswith(f"number_{seed}.bmp")
    assert found[0].image is not None
    assert max(decode(found[0].image).size) <= SIDE


def test_the_radius_bounds_what_is_alike_and_the_nearest_come_first(image_set: Path) -> None:
    opened = open_image_set(image_set)
    stranger = encode_png(picture(1000))
    assert opened.search(stranger, 5, radius=4).results == ()
    assert len(opened.search(stranger, 5, radius=64).results) == 5
    near = distances(opened.hashes, perceptual_hash(picture(1000)))
    best = opened.search(stranger, 1, radius=64).results[0].title
    assert near[int(pq.read_table(image_set)["title"].to_pylist().index(best))] == near.min()


def test_an_image_that_cannot_be_decoded_is_told(image_set: Path) -> None:
    with pytest.raises(ToolError, match="cannot be searched for"):
        open_image_set(image_set).search(encode_png(picture(1))[:300], 3, radius=8)


def test_the_set_is_one_file_of_the_declared_schema(image_set: Path) -> None:
    assert pq.read_schema(image_set).equals(SCHEMA)
    assert pq.ParquetFile(image_set).num_row_groups == 3
    with pytest.raises(SourceError, match="exists already"):
        build_image_set([str(image_set.parent / "pictures")], image_set)


def test_what_is_no_image_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no image set"):
        open_image_set(tmp_path / "none.parquet")
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"none of the 1 files is an image: .*a\.png"):
        build_image_set([str(tmp_path / "a.png")], tmp_path / "set.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_hashes_tell_pictures_apart() -> None:
    hashes = np.array([perceptual_hash(picture(seed)) for seed in range(60)], dtype=np.uint64)
    assert perceptual_hash(Image.new("RGB", (50, 50))) >= 0
    for seed in range(60):
        away = np.delete(distances(hashes, int(hashes[seed])), seed)
        assert away.min() > 8
