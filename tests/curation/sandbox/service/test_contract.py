"""DeepEyesV2's contract, field by field, through real HTTP and the real sandbox."""

from __future__ import annotations

import base64
import io
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from PIL import Image

from tests.curation.sandbox.service.node import ServiceNode

IDS = count()

# The lines that the environment sends at reset, once for every image.
RESET = """
from PIL import Image
import base64
from io import BytesIO

_img_base64 = "{data}"
{name} = Image.open(BytesIO(base64.b64decode(_img_base64)))
"""


@pytest.fixture
def session_id() -> str:
    return f"test-{next(IDS)}"


def reset(width: int, height: int, name: str = "image_1") -> str:
    noise = random.Random(width).randbytes(3 * width * height)
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), noise).save(file, "PNG")
    return RESET.format(data=base64.b64encode(file.getvalue()).decode(), name=name)


def test_every_field_of_an_answer(node: ServiceNode, session_id: str) -> None:
    answer = node.cell(session_id, "print('seen')\nside = 21\n2 * side")
    seconds = answer.pop("execution_time")
    assert isinstance(seconds, float) and seconds > 0
    assert answer == {
        "status": "success",
        "output": {"result": "42", "stdout": "seen\nOut[0]: 42\n", "stderr": "", "images": []},
    }


def test_a_cell_without_a_value_has_no_echo(node: ServiceNode, session_id: str) -> None:
    output = node.cell(session_id, "print('seen')")["output"]
    assert (output["result"], output["stdout"]) == ("None", "seen\n")


def test_an_echo_of_several_lines_begins_on_its_own(node: ServiceNode, session_id: str) -> None:
    output = node.cell(session_id, "np.eye(2)")["output"]
    assert output["stdout"] == "Out[0]: \narray([[1., 0.],\n       [0., 1.]])\n"


@pytest.mark.parametrize("code", ["", " \n"])
def test_empty_code_is_the_one_error_and_its_output_a_string(
    node: ServiceNode, session_id: str, code: str
) -> None:
    assert node.cell(session_id, code) == {"status": "error", "output": "Error: No code provided"}


def test_the_state_of_an_id_is_kept(node: ServiceNode, session_id: str) -> None:
    node.cell(session_id, "import math\ndef double(x): return 2 * x")
    assert node.cell(session_id, "double(math.floor(3.7))")["output"]["result"] == "6"


def test_an_exception_is_a_success_with_its_traceback(node: ServiceNode, session_id: str) -> None:
    answer = node.cell(session_id, "print('so far')\n1 / 0")
    assert answer["status"] == "success"
    assert answer["output"]["stdout"] == "so far\n"
    assert answer["output"]["stderr"].startswith("Traceback (most recent call last)")
    assert answer["output"]["stderr"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(:", "SyntaxError - invalid syntax"),
        ("  1", "SyntaxError - unexpected indent"),
        ("x = (1", "SyntaxError - '(' was never closed"),
    ],
)
def test_code_that_is_no_python_is_said_as_published(
    node: ServiceNode, session_id: str, code: str, said: str
) -> None:
    answer = node.cell(session_id, code)
    assert (answer["status"], answer["output"]["stderr"]) == ("success", said)


def test_a_syntax_error_at_run_time_keeps_its_traceback(node: ServiceNode, session_id: str) -> None:
    stderr = node.cell(session_id, "eval('1 +')")["output"]["stderr"]
    assert stderr.startswith("Traceback") and stderr.endswith("SyntaxError: invalid syntax")


def test_surrogates_in_code_are_told_to_the_model(node: ServiceNode, session_id: str) -> None:
    answer = node.cell(session_id, "'\ud800'")
    assert answer["status"] == "success"
    assert "surrogates not allowed" in answer["output"]["stderr"]


def test_a_time_out_is_a_success_with_the_published_text(
    node: ServiceNode, session_id: str
) -> None:
    answer = node.cell(session_id, "print('gone')\nwhile True: pass", timeout=0.2)
    assert answer["status"] == "success"
    assert answer["output"]["stderr"] == "TimeOutError: code execution timed out"
    assert answer["execution_time"] >= 0.2


def test_after_a_time_out_the_images_are_there_and_the_rest_is_told(
    node: ServiceNode, session_id: str
) -> None:
    node.cell(session_id, reset(40, 30))
    node.cell(session_id, reset(44, 30))  # the next rollout of the same process
    node.cell(session_id, reset(20, 10, "image_2"))
    node.cell(session_id, "crop = image_1.crop((0, 0, 5, 5))")
    node.cell(session_id, "while True: pass", timeout=0.2)
    first = node.cell(session_id, "image_1.size, image_2.size, len(_img_base64) > 800")["output"]
    assert first["result"] == "((44, 30), (20, 10), True)"
    assert first["stderr"] == (
        "SessionLost: variables of earlier cells are gone, this cell ran in a fresh session"
        " with the images loaded again"
    )
    assert node.cell(session_id, "crop")["output"]["stderr"].endswith(
        "NameError: name 'crop' is not defined"
    )
    assert node.cell(session_id, "1")["output"]["stderr"] == ""


def test_a_reset_after_a_time_out_is_told_nothing(node: ServiceNode, session_id: str) -> None:
    node.cell(session_id, "while True: pass", timeout=0.2)
    assert node.cell(session_id, reset(40, 30))["output"]["stderr"] == ""


def test_a_dead_session_is_told_in_its_own_cell(node: ServiceNode, session_id: str) -> None:
    answer = node.cell(session_id, "import os; os._exit(0)")
    assert answer["status"] == "success"
    assert answer["output"]["stderr"].startswith("SessionLost: the session is gone")
    stderr = node.cell(session_id, "1")["output"]["stderr"]
    assert stderr.endswith("this cell ran in a fresh session")


def test_images_are_bare_base64_of_png(node: ServiceNode, session_id: str) -> None:
    node.cell(session_id, reset(40, 30))
    code = "plt.imshow(image_1); plt.show(); show(image_1)"
    images = node.cell(session_id, code)["output"]["images"]
    figure, shown = (Image.open(io.BytesIO(base64.b64decode(i, validate=True))) for i in images)
    assert figure.format == shown.format == "PNG"
    assert shown.size == (40, 30)


def test_a_photo_in_the_code_is_not_counted_as_code(node: ServiceNode, session_id: str) -> None:
    code = reset(1000, 800)
    assert len(code) > 3_000_000
    assert node.cell(session_id, code)["output"]["stderr"] == ""
    assert node.cell(session_id, "image_1.size")["output"]["result"] == "(1000, 800)"


def test_many_resets_of_one_id_do_not_fill_its_memory(node: ServiceNode, session_id: str) -> None:
    code = reset(1000, 800)
    for _ in range(5):
        assert node.cell(session_id, code)["output"]["stderr"] == ""
    size = node.cell(
        session_id,
        "import linecache, sys; sum(len(l) for c in linecache.cache.values() for l in c[2])",
    )["output"]["result"]
    assert int(size) < 1_000_000


def test_other_ids_see_nothing_of_each_other(node: ServiceNode) -> None:
    def rollout(number: int) -> str:
        session_id = f"rollout-{number}"
        node.cell(session_id, reset(40 + number, 30))
        node.cell(session_id, f"open('mine', 'w').write('{number}'); mine = {number}")
        return str(node.cell(session_id, "image_1.width, mine, open('mine').read()")["output"])

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(rollout, range(16)))
    for number, output in enumerate(seen):
        assert f"({40 + number}, {number}, '{number}')" in output


def test_cells_of_one_id_run_one_after_the_other(node: ServiceNode, session_id: str) -> None:
    node.cell(session_id, "n = 0")
    with ThreadPoolExecutor(8) as pool:
        cells = [pool.submit(node.cell, session_id, "n += 1; n") for _ in range(16)]
    assert sorted(int(cell.result()["output"]["result"]) for cell in cells) == [*range(1, 17)]


def test_a_cleared_id_begins_anew(node: ServiceNode, session_id: str) -> None:
    node.cell(session_id, "kept = 1")
    for _ in range(2):  # the second finds nothing, which is no error
        answer = node.post("/clear_session", {"session_id": session_id})
        assert (answer.status, answer.json) == (200, {"status": "success"})
    stderr = node.cell(session_id, "kept")["output"]["stderr"]
    assert stderr.startswith("Traceback") and stderr.endswith("name 'kept' is not defined")
