"""Names, settings and columns of filters, checked before any row is read."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import filters
from filters import bind, columns_of


def one_source(source: pa.StringArray, *, named: str) -> pa.BooleanArray:
    """Keep the samples of one source."""
    return pc.equal(source, named)


def by_colour(colour: pa.StringArray) -> pa.BooleanArray:
    return pc.is_valid(colour)


def of_nothing(*, at_least: int = 1) -> pa.BooleanArray:
    return pa.array([at_least > 0])


def of_text(question: pa.StringArray) -> pa.StringArray:
    return question


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The functions above as an importable module of a user."""
    module = types.ModuleType("my_checks")
    for function in (one_source, by_colour, of_nothing, of_text):
        setattr(module, function.__name__, function)
    monkeypatch.setitem(sys.modules, "my_checks", module)
    yield


def test_every_listed_filter_binds_and_says_what_it_does() -> None:
    for name in filters.__all__:
        bound = bind(name)
        assert bound.columns
        assert bound.function.__doc__
        assert bound.function.__doc__.startswith(("Keep", "Drop"))


def test_defaults_are_among_the_settings() -> None:
    assert bind("min_image_side").settings == {"at_least": 28, "at_most": None}
    assert bind("min_image_side", {"at_least": 3}).settings == {"at_least": 3, "at_most": None}


def test_a_filter_of_the_user() -> None:
    bound = bind("my_checks:one_source", {"named": "charts"})
    assert bound.columns == ("source",)
    table = pa.table({"source": ["charts", "scenes", None]})
    assert bound(table).to_pylist() == [True, False, None]


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("no_yesno", {}, "no filter 'no_yesno'; did you mean 'no_yes_no'"),
        ("bind", {}, "no filter 'bind'; choose from answer_length"),
        ("no_such_module:f", {}, "cannot be imported: No module named 'no_such_module'"),
        ("my_checks:other", {}, "cannot be imported: .* 'other'"),
        ("sys:path", {}, "is a list, not a function"),
        ("question_length", {"atleast": 3}, "no setting 'atleast'; did you mean 'at_least'"),
        ("no_yes_no", {"strict": True}, "no setting 'strict'; it has none"),
        ("question_length", {"at_least": "3"}, "at_least = '3' is no int"),
        ("question_length", {"at_least": 2.5}, "at_least = 2.5 is no int"),
        ("question_length", {"at_least": True}, "at_least = True is no int"),
        ("question_script", {"scripts": "latin"}, "scripts = 'latin' is no "),
        ("question_script", {"scripts": [1]}, "scripts = \\[1\\] is no "),
        ("question_script", {"scripts": ["latn"]}, "scripts = latn: choose from arabic"),
        ("question_script", {"scripts": []}, "scripts = no script: choose from"),
        ("question_length", {"at_least": 9, "at_most": 3}, "at_least = 9 is above at_most = 3"),
        ("no_guessable", {"options": 1}, "options = 1: nothing would be dropped"),
        ("my_checks:one_source", {}, "the setting 'named' is missing"),
        ("my_checks:by_colour", {}, "no column 'colour'; choose from answer, answer_chars"),
        ("my_checks:of_nothing", {}, "it takes no column"),
        ("my_checks:of_text", {}, "it returns StringArray, no BooleanArray"),
    ],
)
def test_mistakes_name_what_would_do(name: str, settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        bind(name, settings)


def test_a_whole_number_is_a_float_and_null_leaves_a_bound_open() -> None:
    assert bind("not_blank", {"at_least": 3}).settings == {"at_least": 3}
    assert bind("min_image_side", {"at_most": None}).settings["at_most"] is None


def test_columns_are_the_positional_parameters() -> None:
    assert columns_of(filters.no_leaked_answer) == ("question", "answer", "answer_kind")
    assert columns_of(one_source) == ("source",)
