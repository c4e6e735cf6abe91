"""A kill at any point of publishing, and what the next export makes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curation.errors import ExportError
from curation.exporters.manifest import MANIFEST
from curation.exporters.publish import publishing


def publish(out: Path, text: str) -> None:
    with publishing(out) as folder:
        (folder / MANIFEST).write_text(f'{{"toolsight": "{text}"}}')


def test_nothing_is_visible_before_the_end(tmp_path: Path) -> None:
    with publishing(tmp_path / "out") as folder:
        (folder / "row").write_text("1")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "row").read_text() == "1"


def test_kill_while_writing_leaves_no_export(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        "import os, sys, signal, pathlib\n"
        "from curation.exporters.publish import publishing\n"
        "with publishing(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(out)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    publish(out, "second")
    assert [path.name for path in out.iterdir()] == [MANIFEST]
    assert list(tmp_path.iterdir()) == [out]


def test_kill_between_the_two_renames_is_put_right(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, "first")
    os.rename(out, tmp_path / ".out.old")
    with pytest.raises(RuntimeError), publishing(out):
        raise RuntimeError("the next export fails")
    assert "first" in (out / MANIFEST).read_text()
    assert list(tmp_path.iterdir()) == [out]


def test_kill_before_the_old_one_is_deleted_is_put_right(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(tmp_path / ".out.old", "first")
    publish(out, "second")
    publish(out, "third")
    assert "third" in (out / MANIFEST).read_text()
    assert list(tmp_path.iterdir()) == [out]


def test_empty_folder_is_taken_and_another_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    publish(tmp_path / "empty", "first")
    assert (tmp_path / "empty" / MANIFEST).exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportError, match="is no export of Toolsight"):
        publish(tmp_path / "file", "first")
