"""Conversations on the wire: placeholders become image parts, bytes stay bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.models.messages import chat_messages, image_url, media_type
from schemas import Message
from tests.scripted_server import images_of

PNG = b"\x89PNG\r\n\x1a\n" + b"one"
JPEG = b"\xff\xd8\xff\xe0" + b"two"
WEBP = b"RIFF\x04\x00\x00\x00WEBP" + b"three"


def test_images_stand_where_their_placeholders_stood() -> None:
    messages = [
        Message("system", "Look."),
        Message("user", "<image>\nWhat?"),
        Message("assistant", "<code>zoom</code>"),
        Message("user", "Out:<image><image>\nEnd"),
    ]
    chat = chat_messages(messages, [PNG, JPEG, WEBP])
    assert [message["role"] for message in chat] == ["system", "user", "assistant", "user"]
    assert chat[0]["content"] == "Look."
    assert [part["type"] for part in chat[1]["content"]] == ["image_url", "text"]
    assert chat[1]["content"][1]["text"] == "\nWhat?"
    assert [part.get("text") for part in chat[3]["content"]] == ["Out:", None, None, "\nEnd"]
    assert images_of({"messages": chat}) == [PNG, JPEG, WEBP]


def test_the_media_type_is_the_bytes_own() -> None:
    assert image_url(WEBP).startswith("data:image/webp;base64,")
    assert [media_type(data) for data in (PNG, JPEG)] == ["image/png", "image/jpeg"]
    with pytest.raises(ValueError, match="no known image format"):
        media_type(b"%PDF-1.7")


def test_only_files_under_the_media_root_go_by_path(tmp_path: Path) -> None:
    root = tmp_path / "media root"
    (root / "ab").mkdir(parents=True)
    inside, outside = root / "ab" / "x.png", tmp_path / "y.png"
    inside.write_bytes(PNG)
    outside.write_bytes(PNG)
    chat = chat_messages([Message("user", "<image><image>")], [inside, outside], media_root=root)
    urls = [part["image_url"]["url"] for part in chat[0]["content"]]
    assert urls[0] == inside.as_uri()
    assert urls[1].startswith("data:image/png;base64,")
    assert images_of({"messages": chat}) == [PNG, PNG]


def test_a_way_out_of_the_media_root_is_no_file_url(tmp_path: Path) -> None:
    root = tmp_path / "media"
    root.mkdir()
    (tmp_path / "y.png").write_bytes(PNG)
    assert image_url(root / ".." / "y.png", root).startswith("data:")


@pytest.mark.parametrize("images", [[], [PNG, PNG]])
def test_a_mismatch_is_a_bug(images: list[bytes]) -> None:
    with pytest.raises(ValueError, match="1 <image> placeholders but"):
        chat_messages([Message("user", "<image>")], images)
