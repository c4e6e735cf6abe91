"""What `toolsight show` prints, to a pipe and to a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest
from rich.console import Console

from curation.errors import RunError
from curation.look.terminal import show
from curation.runs import Run

ROWS, COLUMNS = 60, 100


def shown(run: Run, name: str) -> str:
    console = Console(width=COLUMNS, force_terminal=False)
    with console.capture() as captured:
        show(run, name, console)
    return captured.get()


def test_a_sample_is_shown_with_attempts_and_verdict(world: Run) -> None:
    sample_id = world.value("SELECT min(sample_id) FROM verdicts WHERE dropped_by = 'too_easy'")
    told = shown(world, sample_id[:16])
    assert told.startswith("dropped: too_easy")
    assert "gold answer: " in told and " direct " in told and sample_id in told
    assert "\npass rate without tools " in told
    assert "\x1b" not in told


def test_a_rollout_is_shown_turn_by_turn_with_its_checks(world: Run) -> None:
    rollout_id = world.value("""
        SELECT min(rollout_id) FROM verifications WHERE "check" = 'error_free' AND NOT passed
    """)
    told = shown(world, rollout_id[:16])
    assert "rejected: " in told.splitlines()[0]
    assert told.index("turn 1: model") < told.index("python, ") < told.index("✗  error_free")


def test_a_trajectory_is_shown_by_its_own_id(world: Run) -> None:
    trajectory_id = world.value("SELECT min(trajectory_id) FROM trajectories")
    assert shown(world, trajectory_id).startswith("trajectory")


def test_what_has_no_name_or_several_is_told(world: Run) -> None:
    with pytest.raises(RunError, match="holds no sample, rollout or trajectory 'nothing'"):
        shown(world, "nothing")
    with pytest.raises(RunError, match="several samples or rollouts"):
        shown(world, "")
    with pytest.raises(RunError, match="in quarantine: "):
        shown(world, world.value("SELECT key FROM quarantine WHERE stage = 'ingest'"))


def test_a_terminal_that_answers_nothing_gets_a_preview_in_half_blocks(world: Run) -> None:
    sample_id = world.value("SELECT min(sample_id) FROM verdicts WHERE kept")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    command = (sys.executable, "-m", "curation", "show", world.path, sample_id)
    settings = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=settings
    ) as process:
        os.close(theirs)
        told = b"".join(iter(lambda: read(ours), b"")).decode()
    os.close(ours)
    assert process.returncode == 0, told
    assert "▀" in told or "▄" in told


def read(terminal: int) -> bytes:
    """What was written; nothing once the other side is closed, which Linux tells as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
