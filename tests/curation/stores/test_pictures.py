from __future__ import annotations

from pathlib import Path

import pytest

from curation.errors import RunError
from curation.images import ImageStore
from curation.stores.bucket import Bucket
from curation.stores.pictures import Pictures, fetch_image
from tests.curation.scene import picture


def put(pictures: Pictures) -> int:
    """How many images were put."""
    for ask in pictures.asks():
        ask()
    tasks = [*pictures.puts()]
    for task in tasks:
        task()
    return len(tasks)


def test_every_image_is_put_once_by_whoever_has_it(url: str, tmp_path: Path) -> None:
    bucket, here, there = Bucket.at(url), tmp_path / "here", tmp_path / "there"
    pictures, images = Pictures(bucket, here), ImageStore(here / "images")
    assert put(pictures) == 0
    first, second = images.put(picture(0)), images.put(picture(1))
    assert put(pictures) == 2 and put(pictures) == 0
    third = images.put(picture(2))
    ImageStore(there / "images").put(picture(0))
    assert put(pictures) == 1 and put(Pictures(bucket, there)) == 0
    assert {Path(key).stem for key in bucket.walk("images")} == {first, second, third}


def test_an_image_that_comes_after_the_look_is_put_with_the_next_one(
    url: str, tmp_path: Path
) -> None:
    pictures, images = Pictures(Bucket.at(url), tmp_path), ImageStore(tmp_path / "images")
    images.put(picture(0))
    for ask in pictures.asks():
        ask()
    images.put(picture(1))  # In a subfolder of which nobody has asked.
    for task in pictures.puts():
        task()
    assert put(pictures) == 1


def test_an_image_that_a_copy_lacks_is_fetched_when_it_is_asked_for(
    url: str, tmp_path: Path
) -> None:
    bucket, here, there = Bucket.at(url), tmp_path / "here", tmp_path / "there"
    image_id = ImageStore(here / "images").put(picture(0))
    put(Pictures(bucket, here))
    images = ImageStore(there / "images", lambda path: fetch_image(bucket, there, path))
    assert images.read(image_id) == picture(0)
    bucket.delete(f"images/{image_id[:2]}/{image_id}.png")
    assert images.path(image_id).exists()  # It is asked for once.


def test_an_image_that_was_changed_in_the_store_is_refused(url: str, tmp_path: Path) -> None:
    bucket, path = Bucket.at(url), tmp_path / "images" / "ab" / f"{64 * 'a'}.png"
    assert not fetch_image(bucket, tmp_path, path)
    bucket.put(f"images/ab/{path.name}", b"another one")
    with pytest.raises(RunError, match=f"was changed in {url}: restore it from a copy"):
        fetch_image(bucket, tmp_path, path)
    assert not path.exists()
