"""A folder that appears whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation.errors import ExportError
from curation.exporters.manifest import MANIFEST
from curation.tables import PARTIAL


@contextmanager
def publishing(out: Path) -> Iterator[Path]:
    """A fresh folder beside `out` that takes its place when the block ends without an error.

    An earlier export in that place is moved aside first and deleted afterwards; what a killed
    export left behind is put in order by the next one. One exporter a folder at a time.

    Raises:
        ExportError: `out` exists and is no export, or the disk is full.
    """
    partial, old = _sibling(out, PARTIAL), _sibling(out, ".old")
    if old.exists() and not out.exists():
        old.rename(out)
    _refuse_foreign(out)
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        _sync(partial)
        if out.exists():
            out.rename(old)
        partial.rename(out)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if old.exists() and not out.exists():
            old.rename(out)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ExportError(
                f"the disk of {out} is full, so nothing was written: make room and export again"
            ) from error
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sibling(out: Path, suffix: str) -> Path:
    """Beside `out`, so that renaming stays within a file system; hidden from globs."""
    return out.with_name(f".{out.name}{suffix}")


def _refuse_foreign(out: Path) -> None:
    if not out.exists() or _is_export(out) or (out.is_dir() and not any(out.iterdir())):
        return
    raise ExportError(f"{out} is no export of Toolsight: choose another folder, or move it away")


def _is_export(folder: Path) -> bool:
    try:
        return "toolsight" in json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _sync(folder: Path) -> None:
    """Flush every file to the disk, then the folders that name them."""
    for path in [*folder.rglob("*"), folder, folder.parent]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
