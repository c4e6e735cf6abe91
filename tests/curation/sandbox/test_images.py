"""The images that a session is given: as names, as files, and refused."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from curation.sandbox import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_every_image_is_loaded_at_its_size(sandbox: Sandbox, photo: bytes) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (7, 5), (0, 0, 0, 0)).save(file, "PNG")
    async with await sandbox.open([photo, file.getvalue()]) as session:
        result = await session.run("image_1.size, image_2.size, image_2.getpixel((0, 0))")
    assert result.result == "((80, 60), (7, 5), (255, 255, 255))"


@pytest.mark.parametrize("path", ["{}", "./{}", "/work/{}", "/tmp/{}"])
@pytest.mark.parametrize("name", ["image_1", "image_1.png"])
@pytest.mark.parametrize(
    "reader",
    [
        "Image.open({!r})",
        "cv2.imread({!r})",
        "plt.imread({!r})",
        "matplotlib.image.imread({!r})",
    ],
)
async def test_images_are_files_too(
    sandbox: Sandbox, photo: bytes, reader: str, name: str, path: str
) -> None:
    read = reader.format(path.format(name))
    async with await sandbox.open([photo]) as session:
        result = await session.run(f"import cv2, matplotlib\nnp.asarray({read}).shape")
    assert (result.stderr, result.result) == ("", "(60, 80, 3)")


async def test_image_files_hold_the_bytes_that_were_given(sandbox: Sandbox, photo: bytes) -> None:
    async with await sandbox.open([photo]) as session:
        result = await session.run("open('image_1.png', 'rb').read()")
    assert result.result == repr(photo)


@pytest.mark.parametrize("name", ["image_2.png", "image_1.jpg", "photo.png", "/data/image_1.png"])
async def test_files_of_other_names_are_not_found(
    sandbox: Sandbox, photo: bytes, name: str
) -> None:
    async with await sandbox.open([photo]) as session:
        for read in (f"Image.open({name!r})", f"plt.imread({name!r})", f"open({name!r})"):
            result = await session.run(read)
            assert result.stderr.endswith(
                f"FileNotFoundError: [Errno 2] No such file or directory: '{name}'"
            )


async def test_png_files_are_read_by_matplotlib_as_ever(sandbox: Sandbox) -> None:
    file = io.BytesIO()
    Image.new("RGB", (2, 2), "white").save(file, "PNG")
    async with await sandbox.open([file.getvalue()]) as session:
        result = await session.run(
            "pixels = plt.imread('image_1.png'); str(pixels.dtype), pixels.max() == 1"
        )
    assert result.result == "('float32', np.True_)"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "image 1 cannot be read"),
        (b"no image", "image 1 cannot be read"),
        (b"\x89PNG\r\n\x1a\n", "image 1 cannot be read"),
    ],
)
async def test_bytes_that_are_no_image(sandbox: Sandbox, image: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        await sandbox.open([image])


async def test_truncated_image_is_found_at_opening(sandbox: Sandbox, photo: bytes) -> None:
    with pytest.raises(ValueError, match=r"image 2 cannot be loaded: .*truncated"):
        await sandbox.open([photo, photo[:-40]])


async def test_images_larger_than_the_work_folder(sandbox: Sandbox, photo: bytes) -> None:
    padded = photo + bytes(sandbox.limits.disk)
    with pytest.raises(ValueError, match=r"a session's files at most 8388608: scale .* `disk`"):
        await sandbox.open([padded])


async def test_more_images_than_a_session_takes(sandbox: Sandbox, photo: bytes) -> None:
    with pytest.raises(ValueError, match="256 images where a session takes at most 255"):
        await sandbox.open([photo] * 256)


async def test_image_that_claims_too_many_pixels(sandbox: Sandbox) -> None:
    file = io.BytesIO()
    Image.new("1", (1, 1)).save(file, "PNG")
    claim = (50_000).to_bytes(4, "big") * 2
    bomb = file.getvalue().replace((1).to_bytes(4, "big") * 2, claim)
    with pytest.raises(ValueError, match="image 1"):
        await sandbox.open([bomb])
