"""What is read off code without running it: no more than what stands there."""

from __future__ import annotations

import ast

import pytest

from curation.verification.boxes import box_fault
from curation.verification.code import Names, assignments, parsed
from curation.verification.effect import _constant_only, _shows_input
from curation.verification.leak import _told
from curation.verification.numbers import akin, numbers_in
from curation.verification.reindent import indented_anew, survives


def tree(code: str) -> ast.Module:
    found = parsed(code)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "same"),
    [
        ("x = 1\nprint(x)", True),
        ("for i in range(3):\n    print(i)", True),
        ("if x:\n    a = 1\nelse:\n    a = 2", True),
        ("try:\n    a()\nexcept ValueError:\n    b()", True),
        ("show(\n    1,\n    2,\n)", True),
        ("for i in range(3):\n    print(i)\nprint('done')", False),
        ("if x:\n    a = 1\nelse:\n    a = 2\nprint(a)", False),
        ("for i in a:\n    if i:\n        b()\n    c()", False),
        ("text = '''\n    indented\n'''", False),
        ("print(", False),
    ],
)
def test_code_survives_re_indentation_when_nothing_follows_a_block(code: str, same: bool) -> None:
    assert survives(code) is same


def test_what_follows_a_block_falls_into_it() -> None:
    assert indented_anew("for i in a:\n  b()\n\nc()") == "for i in a:\n    b()\n    c()"


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("plt.imshow(image_1)\nplt.axis('off')\nplt.show()", True),
        ("img = np.array(image_1.convert('RGB'))\nplt.imshow(img)\nplt.show()", True),
        ("img = image_1.crop((0, 0, 9, 9))\nimg.show()", False),
        ("img = image_1.copy()\ndraw = ImageDraw.Draw(img)\nimg.show()", False),
        ("plt.imshow(image_1)\nplt.axhline(20)\nplt.show()", False),
        ("a = np.array(image_1)\na[:9] = 0\nplt.imshow(a)", False),
        ("print(image_1.size)", False),
    ],
)
def test_a_picture_that_was_worked_on_is_not_the_input_again(code: str, again: bool) -> None:
    assert _shows_input(tree(code), Names()) is again


def test_a_picture_drawn_into_in_an_earlier_cell_is_not_the_input_again() -> None:
    names = Names()
    assert not _shows_input(tree("img = image_1.copy()\nImageDraw.Draw(img).text(a, b)"), names)
    assert not _shows_input(tree("img.show()"), names)


@pytest.mark.parametrize(
    ("code", "constant"),
    [
        ("# nothing", True),
        ("import os\nx = 'a'\nprint(x, f'{x}')", True),
        ("print(12 + 30)", False),
        ("print(result)", False),
        ("print(len(image_1.tobytes()))", False),
    ],
)
def test_arithmetic_and_names_of_earlier_cells_are_no_constants(code: str, constant: bool) -> None:
    assert _constant_only(tree(code)) is constant


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print(42)", [42]),
        ("x = 42\nprint(x)", [42]),
        ("print(f'it is {42}')", ["it is ", 42]),
        ("print(12 + 30)", []),
        ("print(max([12, 42]))", []),
        ("a = 12\nb = 42\nprint(max(a, b))", []),
        ("image_1.crop((42, 0, 90, 90))", []),
    ],
)
def test_operands_are_not_told(code: str, told: list[object]) -> None:
    assert list(_told(tree(code))) == told


def test_sizes_and_boxes_follow_assignments_and_are_forgotten() -> None:
    names = Names()
    code = "w, h = 30, 2 * 20\npart = image_1.crop((0, 0, w, h))\nw += 1\nfor h in range(3): pass"
    for name, value in assignments(tree(code)):
        names.learn(name, value)
    assert names.sizes["part"] == (30, 40)
    assert not {"w", "h"} & set(names.constants)


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ((0.0, 0.0, 100.0, 50.0), None),
        ((0.0, 0.0, 100.6, 50.0), None),
        ((0.0, 0.0, 130.0, 50.0), "leaves the 100 by 50 image"),
        ((0.1, 0.1, 0.9, 0.9), "is in shares of the image, and pixels of the original are wanted"),
        ((0.0, 0.0, 4.0, 50.0), "is 4 by 50 pixels"),
        ((0.0, 0.0, float("nan"), 50.0), "is no box: four numbers are wanted"),
    ],
)
def test_box_faults(box: tuple[float, ...], fault: str | None) -> None:
    assert box_fault(box, (100, 50)) == fault


def test_numbers_as_people_write_them() -> None:
    assert numbers_in("1,234.5 and -7 of [1, 2], v2.3, 6e3") == {1234.5, -7, 1, 2, 6000}
    assert akin(0.42, 42) and akin(35.21, 35.2) and not akin(1, 100)
