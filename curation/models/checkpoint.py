"""Checks that a checkpoint folder is whole before a server spends half a minute on finding out."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from curation.embedded import CHECKPOINT
from curation.errors import ServerError

_JSON_FILES = ("config.json", "tokenizer.json", "preprocessor_config.json")
_LARGEST_HEADER = 100_000_000
"""Bytes; the limit of the safetensors format."""


def embedded_model() -> Path:
    """The checkpoint that ships with the package, checked; ServerError when it is not whole."""
    check_checkpoint(CHECKPOINT, required=_JSON_FILES)
    return CHECKPOINT


SERVERS_OWN = "the server's"
"""What is said of a chat template that only the server knows."""


def template_of(folder: Path | None) -> str:
    """Hash of a checkpoint's chat template, where the checkpoint is on this machine."""
    for name in ("chat_template.jinja", "chat_template.json", "tokenizer_config.json"):
        if folder is not None and (folder / name).is_file():
            return hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12]
    return SERVERS_OWN


def check_checkpoint(folder: Path, *, required: tuple[str, ...] = ("config.json",)) -> None:
    """Raise ServerError when a file is missing, no JSON, or not as long as its header says."""
    if not folder.is_dir():
        raise ServerError(f"There is no model in {folder}: check the path, or install it again.")
    for name in required:
        _read_json(folder / name)
    for weights in _weight_files(folder):
        _check_safetensors(weights)


def _damaged(path: Path, what: str) -> ServerError:
    return ServerError(f"The model file {path} {what}: restore it, or install the model again.")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _damaged(path, "is missing") from None
    except (OSError, ValueError) as error:
        raise _damaged(path, f"is damaged ({error})") from error


def _weight_files(folder: Path) -> list[Path]:
    """The shards that the index names, else the safetensors files that are there."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        return [folder / name for name in sorted(set(_read_json(index)["weight_map"].values()))]
    return sorted(folder.glob("*.safetensors")) or [folder / "model.safetensors"]


def _check_safetensors(path: Path) -> None:
    """A safetensors file: u64 header length, JSON header, then data up to the largest offset."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(size - 8, _LARGEST_HEADER):
                raise _damaged(path, "is damaged (its header is longer than the file)")
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    except FileNotFoundError:
        raise _damaged(path, "is missing") from None
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"is damaged (no safetensors header: {error})") from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise _damaged(path, f"is damaged ({size} bytes instead of {expected})")
