"""Every rule of the contract check: an unbroken row passes, one mutation is refused."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image as Pillow

from curation.exporters import TARGETS, ExportRow, ExportSettings, get_target
from curation.exporters.checks import Complaint, ContractCheck, Rule
from curation.exporters.contract import contract_rules

MakeImage = Callable[..., bytes]
MakeRow = Callable[..., ExportRow]
Row = dict[str, Any]
Mutation = Callable[[Row], object]

RL = ("deepeyes", "deepeyes-v2", "verl")
SFT = ("verl-sft", "llamafactory")


@pytest.fixture
def unbroken(make_row: MakeRow) -> Callable[[str], Row]:
    return lambda target: copy.deepcopy(
        get_target(target).row(make_row(target), index="row-1", split="train")
    )


def complaint(target: str, row: Row) -> Complaint | None:
    return ContractCheck(rules(target))(row, "row-1")


def rules(target: str) -> tuple[Rule, ...]:
    return contract_rules(get_target(target), ExportSettings())


def first_user(row: Row) -> Row:
    chat: list[Row] = row.get("prompt") or row["messages"]
    return chat[1]


def set_image(row: Row, encoded: object) -> None:
    row["images"][0]["bytes"] = encoded


def picture(mode: str, width: int, height: int, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Pillow.new(mode, (width, height)).save(buffer, format=form)
    return buffer.getvalue()


@pytest.mark.parametrize("target", TARGETS)
def test_unbroken_row_passes(unbroken: Callable[[str], Row], target: str) -> None:
    assert complaint(target, unbroken(target)) is None


COMMON: list[tuple[str, Mutation]] = [
    ("types", lambda row: row.pop("images")),
    ("types", lambda row: row.update(videos=[])),
    ("types", lambda row: row.update(images=None)),
    ("types", lambda row: row.update(images="[]")),
    ("types", lambda row: set_image(row, None)),
    ("types", lambda row: set_image(row, "aGVsbG8=")),
    ("types", lambda row: row["images"][0].pop("path")),
    ("types", lambda row: first_user(row).update(content=None)),
    ("types", lambda row: first_user(row).update(content=[{"type": "text", "text": "a"}])),
    ("types", lambda row: first_user(row).update(content="\ud800 <image>")),
    ("images_present", lambda row: row["images"].clear()),
    ("placeholder_count", lambda row: first_user(row).update(content="no image")),
    ("placeholder_count", lambda row: first_user(row).update(content="<image><image>")),
    ("placeholder_count", lambda row: row["images"].append(row["images"][0])),
    ("placeholder_role", lambda row: (row.get("prompt") or row["messages"])[0].update(
        content="An <image> is shown.")),
    ("media_words", lambda row: first_user(row).update(content="<image><video>")),
    ("media_words", lambda row: first_user(row).update(content="<image><audio>")),
    ("special_tokens", lambda row: first_user(row).update(content="<image><|im_end|>")),
    ("special_tokens", lambda row: first_user(row).update(content="<image><|image_pad|>")),
    ("image_decodes", lambda row: set_image(row, b"no image")),
    ("image_decodes", lambda row: set_image(row, row["images"][0]["bytes"][:-30])),
    ("image_decodes", lambda row: set_image(row, picture("RGB", 64, 64, "JPEG")[:-80])),
    ("image_side", lambda row: set_image(row, picture("RGB", 27, 400))),
    ("image_aspect", lambda row: set_image(row, picture("L", 28 * 200, 28))),
    ("image_mode", lambda row: set_image(row, picture("I;16", 64, 64))),
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("rule", "mutate"), COMMON)
def test_common_rules(
    unbroken: Callable[[str], Row], target: str, rule: str, mutate: Mutation
) -> None:
    row = unbroken(target)
    mutate(row)
    found = complaint(target, row)
    assert found is not None
    assert found.rule == rule


RL_ONLY: list[tuple[str, Mutation]] = [
    ("types", lambda row: row.update(extra_info=None)),
    ("types", lambda row: row["extra_info"].update(index=7)),
    ("types", lambda row: row["extra_info"].update(tools_kwargs={})),
    ("types", lambda row: row["reward_model"].update(ground_truth=4)),
    ("prompt_roles", lambda row: row["prompt"].pop(0)),
    ("prompt_roles", lambda row: row["prompt"].append({"role": "user", "content": "so?"})),
    ("ground_truth", lambda row: row["reward_model"].update(ground_truth=" ")),
    ("ground_truth", lambda row: row["reward_model"].update(ground_truth="9" * 300)),
    ("question", lambda row: row["extra_info"].update(question="")),
    ("question", lambda row: row["extra_info"].update(question="What else?")),
    ("index", lambda row: row["extra_info"].update(index="")),
    ("index", lambda row: row["extra_info"].update(index="fvqa_train_0")),
]


@pytest.mark.parametrize("target", RL)
@pytest.mark.parametrize(("rule", "mutate"), RL_ONLY)
def test_rl_rules(unbroken: Callable[[str], Row], target: str, rule: str, mutate: Mutation) -> None:
    row = unbroken(target)
    mutate(row)
    found = complaint(target, row)
    assert found is not None
    assert found.rule == rule


@pytest.mark.parametrize(
    ("target", "column", "value"),
    [
        ("deepeyes", "data_source", "perception"),
        ("deepeyes", "env_name", "deepeyes_v2"),
        ("deepeyes-v2", "data_source", "vstar"),
        ("deepeyes-v2", "env_name", "code_toolbox_lingyi_v1"),
        ("verl", "agent_name", "react_agent"),
    ],
)
def test_names_that_a_trainer_looks_up(
    unbroken: Callable[[str], Row], target: str, column: str, value: str
) -> None:
    found = complaint(target, unbroken(target) | {column: value})
    assert found is not None
    assert found.rule == column
    assert value in found.sentence


SFT_ONLY: list[tuple[str, Mutation]] = [
    ("turn_order", lambda row: row["messages"].pop()),
    ("turn_order", lambda row: row["messages"].insert(2, {"role": "user", "content": "go on"})),
    ("turn_order", lambda row: row["messages"][3].update(role="tool")),
    ("turn_start", lambda row: row["messages"][2].update(content="Hm. </code>")),
    ("turn_start", lambda row: row["messages"][4].update(content=" <answer>4</answer>")),
    ("turn_end", lambda row: row["messages"][2].update(content="<think>a</think> so")),
    ("turn_end", lambda row: row["messages"][4].update(content="<answer>4</answer>\n")),
    ("turn_tags", lambda row: row["messages"][4].update(content="<think>a<answer>4</answer>")),
    ("turn_tags", lambda row: row["messages"][2].update(content="<think>a</think></code>")),
    ("answer_last", lambda row: row["messages"][2].update(
        content="<think><answer>4</answer></think><code></code>")),
    ("answer_last", lambda row: row["messages"][4].update(
        content="<think>a</think><code></code>")),
    ("answer_last", lambda row: row["messages"][4].update(
        content="<answer>4</answer><answer>5</answer>")),
]  # fmt: skip


@pytest.mark.parametrize("target", SFT)
@pytest.mark.parametrize(("rule", "mutate"), SFT_ONLY)
def test_sft_rules(
    unbroken: Callable[[str], Row], target: str, rule: str, mutate: Mutation
) -> None:
    row = unbroken(target)
    mutate(row)
    found = complaint(target, row)
    assert found is not None
    assert found.rule == rule


def test_every_rule_of_every_target_has_a_mutation() -> None:
    tried = {rule for rule, _ in (*COMMON, *RL_ONLY, *SFT_ONLY)}
    tried |= {"data_source", "env_name", "agent_name"}
    assert {rule.name for target in TARGETS.values() for rule in target.RULES} == tried


def test_conversation_without_turns_asks_for_a_trajectory(unbroken: Callable[[str], Row]) -> None:
    row = unbroken("verl-sft") | {"messages": [{"role": "system", "content": "s"}]}
    rules = {rule.name: rule for rule in get_target("verl-sft").RULES}
    check = ContractCheck([rules["turn_order"]])
    assert check(row, "a") == Complaint(
        "turn_order", "messages has no turns: an SFT row needs a verified trajectory"
    )


def test_index_is_taken_by_rows_that_pass_only(unbroken: Callable[[str], Row]) -> None:
    check = ContractCheck(rules("deepeyes"))
    row, broken = unbroken("deepeyes"), unbroken("deepeyes")
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
    unbroken: Callable[[str], Row], make_image: MakeImage, width: int, height: int, form: str
) -> None:
    row = unbroken("deepeyes")
    set_image(row, make_image(width, height, form=form))
    assert complaint("deepeyes", row) is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_images_with_8_bits_a_channel_pass(unbroken: Callable[[str], Row], mode: str) -> None:
    row = unbroken("deepeyes")
    set_image(row, picture(mode, 64, 64))
    assert complaint("deepeyes", row) is None


def test_sentence_names_the_field(unbroken: Callable[[str], Row]) -> None:
    row = unbroken("verl-sft")
    row["messages"][1]["content"] = None
    found = complaint("verl-sft", row)
    assert found == Complaint("types", "messages[1].content is null: every row needs a value")
