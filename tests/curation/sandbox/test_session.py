"""Cells behave as in Jupyter, and what goes wrong is told in the result."""

from __future__ import annotations

import asyncio
import io

import pytest
from PIL import Image

from curation.sandbox import Sandbox, Session

pytestmark = pytest.mark.asyncio(loop_scope="session")


def opened(png: bytes) -> Image.Image:
    assert png.startswith(b"\x89PNG")
    return Image.open(io.BytesIO(png))


async def test_names_live_on_in_the_next_cell(session: Session) -> None:
    await session.run("import math\ndef double(x): return 2 * x\nside = 21")
    result = await session.run("double(side) + math.floor(0.5)")
    assert (result.status, result.result) == ("ok", "42")


async def test_names_of_other_sessions_are_unknown(sandbox: Sandbox, session: Session) -> None:
    await session.run("secret = 1")
    async with await sandbox.open() as other:
        result = await other.run("secret")
    assert result.status == "error"
    assert result.stderr.endswith("NameError: name 'secret' is not defined")


@pytest.mark.parametrize(
    ("code", "stdout", "result"),
    [
        ("print('a'); 'b'", "a\n", "'b'"),
        ("x = 3", "", None),
        ("None", "", None),
        ("# nothing but a comment", "", None),
        ("for i in range(2): print(i)", "0\n1\n", None),
        ("import sys; sys.stderr.write('x'); print('y', file=sys.stderr)", "", None),
        ("import warnings; warnings.warn('careful')", "", None),
        ("import logging; logging.error('careful')", "", None),
        ("display(5)", "5\n", None),
        ("object()", "", "<object object at 0x0>"),
        ("import os; os.listdir()", "", "[]"),
    ],
)
async def test_streams_and_result(
    session: Session, code: str, stdout: str, result: str | None
) -> None:
    got = await session.run(code)
    assert (got.status, got.stdout, got.stderr, got.result) == ("ok", stdout, "", result)


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("x = '\\ud800' + chr(0xd800)\nx.encode()", "surrogates not allowed"),
        ("'\ud800'", "surrogates not allowed"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("input()", "EOFError: EOF when reading a line"),
        ("class E(Exception):\n  def __str__(self): 1/0\nraise E", "<exception str() failed>"),
        ("%matplotlib inline", "SyntaxError: invalid syntax"),
        ("(" * 5000 + ")" * 5000, "too many nested parentheses"),
    ],
)
async def test_what_fails_is_told_as_stderr(session: Session, code: str, end: str) -> None:
    result = await session.run(code)
    assert result.status == "error"
    assert result.stderr.endswith(end)
    assert (await session.run("1")).status == "ok"


async def test_traceback_shows_the_cell_and_nothing_of_ours(session: Session) -> None:
    result = await session.run("def f():\n    return [][1]\nf()")
    assert result.stderr.startswith('Traceback (most recent call last):\n  File "<cell 1>", line 3')
    assert "return [][1]" in result.stderr
    assert "shell.py" not in result.stderr


async def test_output_before_an_error_is_kept(session: Session) -> None:
    result = await session.run("print('so far')\nImage.new('RGB', (4, 4)).show()\n1 / 0")
    assert (result.status, result.stdout, len(result.images)) == ("error", "so far\n", 1)


async def test_long_output_is_cut_and_marked(sandbox: Sandbox, session: Session) -> None:
    result = await session.run("print('é' * 10**6)\n'x' * 10**6")
    bound = sandbox.limits.text
    assert result.stdout == "é" * bound + "\n[output cut]"
    assert result.result is not None
    assert result.result.endswith(" [output cut]") and len(result.result) < bound + 20


async def test_long_traceback_keeps_its_end(sandbox: Sandbox, session: Session) -> None:
    result = await session.run("raise ValueError('x' * 10**6 + 'end')")
    assert len(result.stderr) == sandbox.limits.traceback
    assert result.stderr.endswith("end")


async def test_figures_come_back_once(session: Session) -> None:
    result = await session.run("plt.plot([1, 2]); plt.figure(); plt.plot([2, 1]); plt.show()")
    assert len(result.images) == 2
    assert (await session.run("plt.show()")).images == ()


async def test_figure_is_saved_with_a_tight_box(session: Session) -> None:
    result = await session.run(
        "import io\nfigure = plt.figure(); plt.plot([1, 2])\nfile = io.BytesIO()\n"
        "figure.savefig(file, bbox_inches='tight')\nplt.show()\nImage.open(file).size"
    )
    assert result.result == str(opened(result.images[0]).size)


@pytest.mark.parametrize(
    "code",
    [
        "show(image_1)",
        "display(image_1)",
        "image_1.show()",
        "image_1",
        "show(np.asarray(image_1))",
        "from IPython.display import display as d; d(image_1)",
        "Image.open('image_1').show()",
        "Image.open('image_1.png')",
    ],
)
async def test_shown_images_come_back_pixel_by_pixel(
    sandbox: Sandbox, photo: bytes, code: str
) -> None:
    async with await sandbox.open([photo]) as session:
        result = await session.run(code)
    assert (result.status, result.result) == ("ok", None)
    (shown,) = map(opened, result.images)
    assert shown.tobytes() == opened_jpeg(photo).tobytes()


def opened_jpeg(photo: bytes) -> Image.Image:
    return Image.open(io.BytesIO(photo)).convert("RGB")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("for _ in range(4): show(Image.new('RGB', (2, 2)))", "at most 3 images"),
        ("show(Image.new('1', (1001, 1000)))", "at most 1000000 pixels"),
        ("show(Image.new('RGB', (0, 5)))", "without pixels"),
    ],
)
async def test_too_much_to_show_is_an_error(session: Session, code: str, message: str) -> None:
    result = await session.run(code)
    assert result.status == "error"
    assert message in result.stderr


async def test_same_seed_gives_the_same_bytes(sandbox: Sandbox, photo: bytes) -> None:
    code = (
        "import random\n"
        "print(random.random(), np.random.rand(), np.random.default_rng().random(), {'a', 'b'})\n"
        "plt.imshow(np.random.rand(8, 8)); plt.show(); show(image_1.rotate(30))"
    )
    seen = []
    for seed in (7, 7, 8):
        async with await sandbox.open([photo], seed=seed) as session:
            result = await session.run(code)
            assert result.status == "ok"
            seen.append((result.stdout, result.images))
    assert seen[0] == seen[1] != seen[2]


async def test_timeout_ends_the_session(session: Session) -> None:
    result = await session.run("print('gone')\nwhile True: pass", timeout=0.2)
    assert (result.status, result.stdout) == ("timeout", "")
    assert result.stderr == "TimeOutError: code execution timed out"
    assert 0.2 <= result.seconds < 5
    later = await session.run("1")
    assert (later.status, later.result) == ("lost", None)
    assert "a cell timed out" in later.stderr


async def test_cancelled_cell_ends_the_session(session: Session) -> None:
    running = asyncio.create_task(session.run("while True: pass"))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await session.run("1")).status == "lost"


async def test_closing_ends_a_running_cell(session: Session) -> None:
    running = asyncio.create_task(session.run("while True: pass"))
    await asyncio.sleep(0.01)
    await session.close()
    await session.close()
    assert (await running).status == "lost"
    assert "it was closed" in (await session.run("1")).stderr


@pytest.mark.parametrize(
    ("code", "message"), [("", "no code"), (" \n", "no code"), ("#" * 1_000_001, "1000001")]
)
async def test_code_that_is_not_run(session: Session, code: str, message: str) -> None:
    result = await session.run(code)
    assert result.status == "error"
    assert message in result.stderr
    assert (await session.run("1")).result == "1"


async def test_cells_of_one_session_wait_for_each_other(session: Session) -> None:
    results = await asyncio.gather(*[session.run(f"x = {i}; x") for i in range(8)])
    assert [result.result for result in results] == [str(i) for i in range(8)]


async def test_locks_in_the_own_folder_are_granted(session: Session) -> None:
    result = await session.run(
        "import fcntl, sqlite3\nbase = sqlite3.connect('own.db')\n"
        "with base: base.execute('create table t(x)'); base.execute('insert into t values (7)')\n"
        "file = open('lock', 'w'); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "base.execute('select x from t').fetchall()"
    )
    assert (result.stderr, result.result) == ("", "[(7,)]")
