"""What each target makes of a sample or a trajectory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from curation.dialects import Observed, get_dialect
from curation.dialects.hermes import reply_text
from curation.errors import ExportError
from curation.exporters import TARGETS, ExportRow, ExportSettings, get_target
from curation.exporters.checks import ContractCheck, joined
from curation.exporters.contract import contract_rules
from schemas import Message

MakeImage = Callable[..., bytes]
MakeRow = Callable[..., ExportRow]

CONTRACT_TYPES: dict[str, dict[str, str]] = {
    "deepeyes": {
        "data_source": "string",
        "prompt": "list<item: struct<role: string, content: string>>",
        "images": "list<item: struct<bytes: binary, path: string>>",
        "ability": "string",
        "env_name": "string",
        "reward_model": "struct<style: string, ground_truth: string>",
        "extra_info": "struct<index: string, question: string, answer: string, split: string>",
    },
    "verl-sft": {
        "messages": "list<item: struct<role: string, content: string>>",
        "images": "list<item: struct<bytes: binary, path: string>>",
    },
}
CONTRACT_TYPES["deepeyes-v2"] = CONTRACT_TYPES["deepeyes"]
CONTRACT_TYPES["llamafactory"] = CONTRACT_TYPES["verl-sft"]
CONTRACT_TYPES["ms-swift"] = CONTRACT_TYPES["verl-sft"] | {
    "messages": "list<item: struct<role: string, content: string, loss: bool>>"
}
CONTRACT_TYPES["trl"] = CONTRACT_TYPES["verl-sft"] | {
    "messages": "list<item: struct<role: string,"
    " content: list<item: struct<type: string, text: string>>>>"
}
CONTRACT_TYPES["trl-dpo"] = {
    **dict.fromkeys(("prompt", "chosen", "rejected"), CONTRACT_TYPES["trl"]["messages"]),
    "images": CONTRACT_TYPES["trl"]["images"],
}
CONTRACT_TYPES["ms-swift-dpo"] = CONTRACT_TYPES["verl-sft"] | {
    f"rejected_{name}": kind for name, kind in CONTRACT_TYPES["verl-sft"].items()
}
CONTRACT_TYPES["llamafactory-dpo"] = CONTRACT_TYPES["llamafactory"] | dict.fromkeys(
    ("chosen", "rejected"), "struct<role: string, content: string>"
)
CONTRACT_TYPES["hub"] = {
    "id": "string",
    "images": CONTRACT_TYPES["verl-sft"]["images"],
    **dict.fromkeys(
        ("question", "answer_kind", "category", "source", "license", "origin"), "string"
    ),
    **dict.fromkeys(("answers", "choices"), "list<item: string>"),
    **dict.fromkeys(("direct_attempts", "direct_right", "tools_attempts", "tools_right"), "int64"),
}
CONTRACT_TYPES["verl"] = {
    ("agent_name" if name == "env_name" else name): kind
    for name, kind in CONTRACT_TYPES["deepeyes"].items()
} | {
    "extra_info": "struct<index: string, split: string, question: string, answer: string,"
    " need_tools_kwargs: bool, tool_selection: list<item: string>>"
}


@pytest.mark.parametrize("name", TARGETS)
def test_schema_has_the_columns_and_types_of_the_contract(name: str) -> None:
    schema = get_target(name).SCHEMA
    assert {column.name: str(column.type) for column in schema} == CONTRACT_TYPES[name]
    # Only people look at the hub's shards; trainers cannot join shards that carry features.
    assert (schema.metadata is None) == (name != "hub")


@pytest.mark.parametrize(
    ("target", "category", "data_source", "env_name"),
    [
        ("deepeyes", "perception", "vstar", "visual_toolbox_v2"),
        ("deepeyes", "document", "vstar", "visual_toolbox_v2"),
        ("deepeyes", "chart", "chart", "visual_toolbox_v2"),
        ("deepeyes", "reason", "thinklite_eureka", ""),
        ("deepeyes-v2", "perception", "perception", "deepeyes_v2"),
        ("deepeyes-v2", "document", "perception", "deepeyes_v2"),
        ("deepeyes-v2", "chart", "perception", "deepeyes_v2"),
        ("deepeyes-v2", "reason", "reason", "deepeyes_v2"),
        ("deepeyes-v2", "search", "search", "deepeyes_v2"),
    ],
)
def test_category_decides_reward_and_environment(
    make_row: MakeRow, target: str, category: str, data_source: str, env_name: str
) -> None:
    row = get_target(target).row(make_row(target, category=category), index="a", split="train")
    assert (row["data_source"], row["env_name"]) == (data_source, env_name)
    assert row["ability"] == category


@pytest.mark.parametrize(
    ("target", "dialect"),
    [("deepeyes", "deepeyes"), ("deepeyes-v2", "deepeyes-v2"), ("verl", "deepeyes")],
)
def test_rl_prompt_is_the_dialects_opening(
    make_row: MakeRow, make_image: MakeImage, target: str, dialect: str
) -> None:
    example = make_row(target, images=[make_image(seed=1), make_image(seed=2)])
    row = get_target(target).row(example, index="a", split="train")
    opening = get_dialect(dialect).opening(example.sample.question, 2)
    assert row["prompt"] == [{"role": m.role, "content": m.content} for m in opening]


def test_math_rows_of_deepeyes_ask_for_the_box_that_their_reward_reads(make_row: MakeRow) -> None:
    row = get_target("deepeyes").row(make_row("deepeyes", category="reason"), index="a", split="t")
    system, user = (message["content"] for message in row["prompt"])
    assert user.startswith("<image>\nHow many bars")
    assert "\\boxed{}" in user
    assert "<answer>" not in user
    assert "tool" not in system.lower()


def test_rl_row_takes_the_gold_answer_and_not_the_trajectorys_images(make_row: MakeRow) -> None:
    example = make_row("verl-sft", number=5)
    row: dict[str, Any] = get_target("verl").row(example, index="id-5", split="val")
    assert row["images"] == [{"bytes": example.images[0], "path": None}]
    assert row["reward_model"] == {"style": "rule", "ground_truth": "5"}
    assert row["agent_name"] == "tool_agent"
    assert row["extra_info"] == {
        "index": "id-5",
        "split": "val",
        "question": example.sample.question,
        "answer": "5",
        "need_tools_kwargs": False,
        "tool_selection": ["image_zoom_in_tool"],
    }


@pytest.mark.parametrize("target", ["verl-sft", "llamafactory", "ms-swift"])
def test_sft_row_is_the_verified_conversation(make_row: MakeRow, target: str) -> None:
    example = make_row(target)
    row = get_target(target).row(example, index="a", split="train")
    assert example.trajectory is not None
    told = [(message["role"], message["content"]) for message in row["messages"]]
    assert told == [(message.role, message.content) for message in example.trajectory.messages]
    assert [image["bytes"] for image in row["images"]] == example.images


@pytest.mark.parametrize("target", ["llamafactory", "ms-swift", "trl", "verl-sft"])
@pytest.mark.parametrize(
    ("thought", "broken"), [("<think>Closer.</think>", None), ("", "turn_start")]
)
def test_a_native_call_is_taken_with_its_thought_and_refused_without(
    make_row: MakeRow, target: str, thought: str, broken: str | None
) -> None:
    example, dialect = make_row(target), get_dialect("openai")
    assert example.trajectory is not None
    function = {"name": "python", "arguments": '{"code": "show(image_1)"}'}
    messages = (
        *dialect.opening(example.sample.question, 1),
        Message(
            "assistant", reply_text({"content": thought, "tool_calls": [{"function": function}]})
        ),
        Message("user", dialect.observation(Observed(images=1))),
        *example.trajectory.messages[-1:],
    )
    trajectory = replace(example.trajectory, dialect="openai", messages=messages)
    chosen = get_target(target)
    row = chosen.row(replace(example, trajectory=trajectory), index="a", split="train")
    complaint = ContractCheck(chosen.RULES)(row, "a")
    assert (complaint and complaint.rule) == broken
    assert complaint is None or "must begin with <think>" in complaint.sentence


def test_trl_row_says_where_each_image_stands(make_row: MakeRow) -> None:
    example = make_row("trl")
    plain = get_target("verl-sft").row(example, index="a", split="train")
    row = get_target("trl").row(example, index="a", split="train")
    assert row["images"] == plain["images"]
    for parts, message in zip(row["messages"], plain["messages"], strict=True):
        assert joined(parts["content"]) == message["content"]
        assert {part["type"] for part in parts["content"]} <= {"image", "text"}
    assert row["messages"][1]["content"][0] == {"type": "image", "text": ""}


def test_pair_of_one_turn_gives_each_side_as_its_trainer_wants_it(make_row: MakeRow) -> None:
    rows = {
        name: get_target(name).row(make_row(name), index="a", split="train")
        for name in ("trl-dpo", "ms-swift-dpo", "llamafactory-dpo")
    }
    trl, swift, factory = rows.values()
    assert factory["chosen"] == {
        "role": "assistant",
        "content": "<think>I see it.</think>\n<answer>1</answer>",
    }
    assert [joined(message["content"]) for message in trl["rejected"]] == [
        factory["rejected"]["content"]
    ]
    assert swift["messages"] == [*factory["messages"], factory["chosen"]]
    assert swift["rejected_messages"] == [*factory["messages"], factory["rejected"]]
    assert trl["images"] == factory["images"] == swift["images"] == swift["rejected_images"]


def test_pair_of_several_turns_keeps_its_images_apart_or_is_refused(make_row: MakeRow) -> None:
    example = make_row("ms-swift-dpo")
    assert example.pair is not None
    pair = example.pair
    whole = replace(
        pair,
        prompt=pair.prompt[:2],
        chosen=(*pair.prompt[2:], *pair.chosen),
        prompt_images=pair.prompt_images[:1],
        chosen_images=pair.prompt_images[1:],
        step=False,
    )
    example = replace(example, pair=whole)
    swift = get_target("ms-swift-dpo").row(example, index="a", split="train")
    assert [image["bytes"] for image in swift["images"]] == example.images
    assert [image["bytes"] for image in swift["rejected_images"]] == example.images[:1]
    for name in ("trl-dpo", "llamafactory-dpo"):
        target = get_target(name)
        check = ContractCheck(contract_rules(target, ExportSettings()))
        found = check(target.row(example, index="a", split="train"), "a")
        assert found is not None
        assert found.rule == "one_reply"
        assert "chosen has the roles assistant, user, assistant" in found.sentence


def test_hub_row_is_the_sample_with_its_counts(make_row: MakeRow) -> None:
    example = make_row("hub", number=5)
    row = get_target("hub").row(example, index="id-5", split="train")
    assert row["answers"] == ["5", "5.0"]
    assert (row["direct_attempts"], row["direct_right"], row["tools_right"]) == (8, 2, 6)
    assert row["images"] == [{"bytes": example.images[0], "path": None}]


def test_unknown_target_names_the_known_ones() -> None:
    with pytest.raises(ExportError, match=r"'deepeye'.*deepeyes, deepeyes-v2, verl, verl-sft"):
        get_target("deepeye")
