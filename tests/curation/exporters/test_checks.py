"""Every rule of the contract check: an unbroken row passes, one mutation is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from curation.exporters import TARGETS, ExportRow, ExportSettings, get_target
from curation.exporters.checks import Complaint, ContractCheck, Rule
from curation.exporters.contract import contract_rules
from tests.curation.exporters.mutations import (
    CASES,
    NAMES,
    Mutation,
    Row,
    finish,
    picture,
    set_image,
    unbroken,
)

MakeImage = Callable[..., bytes]
MakeRow = Callable[..., ExportRow]


def rules(target: str) -> tuple[Rule, ...]:
    return contract_rules(get_target(target), ExportSettings())


def complaint(target: str, row: Row) -> Complaint | None:
    return ContractCheck(rules(target))(row, "row-1")


@pytest.mark.parametrize("target", TARGETS)
def test_unbroken_row_passes(make_row: MakeRow, target: str) -> None:
    assert complaint(target, finish(target, unbroken(target, make_row))) is None


@pytest.mark.parametrize(("target", "rule", "mutate"), CASES)
def test_mutated_row_is_refused_by_its_rule(
    make_row: MakeRow, target: str, rule: str, mutate: Mutation
) -> None:
    row = unbroken(target, make_row)
    mutate(row)
    found = complaint(target, finish(target, row))
    assert found is not None
    assert found.rule == rule


@pytest.mark.parametrize(("target", "column", "value"), NAMES)
def test_names_that_a_trainer_looks_up(
    make_row: MakeRow, target: str, column: str, value: str
) -> None:
    found = complaint(target, unbroken(target, make_row) | {column: value})
    assert found is not None
    assert found.rule == column
    assert value in found.sentence


def test_every_rule_of_every_target_has_a_mutation() -> None:
    tried = {rule for _, rule, _ in CASES} | {column for _, column, _ in NAMES}
    # The budget is the export's own, and tested with its settings.
    wanted = {rule.name for target in TARGETS for rule in rules(target)} - {"image_pixels"}
    assert wanted == tried


def test_conversation_without_turns_asks_for_a_trajectory(make_row: MakeRow) -> None:
    row = unbroken("verl-sft", make_row) | {"messages": [{"role": "system", "content": "s"}]}
    check = ContractCheck([rule for rule in rules("verl-sft") if rule.name == "turn_order"])
    assert check(row, "a") == Complaint(
        "turn_order", "messages has no turns: an SFT row needs a verified trajectory"
    )


def test_index_is_taken_by_rows_that_pass_only(make_row: MakeRow) -> None:
    check = ContractCheck(rules("deepeyes"))
    row, broken = unbroken("deepeyes", make_row), unbroken("deepeyes", make_row)
    set_image(broken, b"no image")
    assert check(broken, "row-1") is not None
    assert check(row, "row-1") is None
    found = check(row, "row-1")
    assert found is not None
    assert found.rule == "unique_index"
    assert check(row, "row-2") is None


@pytest.mark.parametrize(("width", "height"), [(28, 28), (64, 64), (28, 28 * 200 - 1)])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_smallest_and_longest_images_pass(
    make_row: MakeRow, make_image: MakeImage, width: int, height: int, form: str
) -> None:
    row = unbroken("deepeyes", make_row)
    set_image(row, make_image(width, height, form=form))
    assert complaint("deepeyes", row) is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_images_with_8_bits_a_channel_pass(make_row: MakeRow, mode: str) -> None:
    row = unbroken("deepeyes", make_row)
    set_image(row, picture(mode, 64, 64))
    assert complaint("deepeyes", row) is None


def test_sentence_names_the_field(make_row: MakeRow) -> None:
    row = unbroken("verl-sft", make_row)
    row["messages"][1]["content"] = None
    found = complaint("verl-sft", row)
    assert found == Complaint("types", "messages[1].content is null: every row needs a value")
