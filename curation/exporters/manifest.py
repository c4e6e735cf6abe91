"""`export.json`: an export in figures, and the file by which it knows its own kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curation.errors import ExportError
from curation.exporters.settings import ExportSettings

MANIFEST = "export.json"


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished file."""

    name: str
    rows: int
    size: int
    """Bytes on disk."""

    @property
    def split(self) -> str:
        return self.name.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export holds and how it was made."""

    toolsight: str
    """Version."""
    target: str
    rows: int
    shards: tuple[Shard, ...]
    """In the order in which they are trained on."""
    left_out: Mapping[str, int]
    """Rows by the rule that they broke."""
    rules: tuple[str, ...]
    settings: ExportSettings

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=2) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest in an export.

    Raises:
        ExportError: the folder is missing, empty or no export.
    """
    if not folder.is_dir():
        raise ExportError(f"there is no folder {folder}: name one that `toolsight export` wrote")
    try:
        values: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        values["shards"] = tuple(Shard(**shard) for shard in values["shards"])
        values["settings"] = ExportSettings(**values["settings"])
        return Manifest(**values | {"rules": tuple(values["rules"])})
    except FileNotFoundError:
        content = "is empty" if not any(folder.iterdir()) else f"has no {MANIFEST}"
        raise ExportError(
            f"{folder} {content}, so it is no export of Toolsight: name the folder that holds the"
            f" shards, such as runs/my/exports/verl"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ExportError(
            f"{folder / MANIFEST} cannot be read ({error}): write the export again"
        ) from None
