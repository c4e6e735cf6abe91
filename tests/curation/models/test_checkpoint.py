"""Damaged checkpoints are found before a server is started."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from curation.errors import ServerError
from curation.models import check_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]},
    }
    encoded = json.dumps(header).encode()
    weights = struct.pack("<Q", len(encoded)) + encoded + bytes(12)
    (tmp_path / "model.safetensors").write_bytes(weights)
    return tmp_path


def test_a_whole_checkpoint_passes(checkpoint: Path) -> None:
    check_checkpoint(checkpoint)


@pytest.mark.parametrize("cut", [0, 4, 30, -1])
def test_a_truncated_weight_file(checkpoint: Path, cut: int) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:cut])
    with pytest.raises(ServerError, match=r"model\.safetensors is damaged"):
        check_checkpoint(checkpoint)


def test_a_weight_file_of_other_content(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").write_bytes(b"version https://git-lfs" * 40)
    with pytest.raises(ServerError, match="is damaged"):
        check_checkpoint(checkpoint)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(checkpoint: Path, name: str) -> None:
    (checkpoint / name).unlink()
    with pytest.raises(ServerError, match=f"{name} is missing: restore it"):
        check_checkpoint(checkpoint)


def test_a_missing_shard_is_named(checkpoint: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "second.safetensors"}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ServerError, match=r"second\.safetensors is missing"):
        check_checkpoint(checkpoint)


def test_a_damaged_configuration(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text("{")
    with pytest.raises(ServerError, match=r"config\.json is damaged"):
        check_checkpoint(checkpoint)
