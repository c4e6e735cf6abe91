"""Broken rows: the rule that has to refuse each, and one mutation of an unbroken row.

Mutations speak of plain conversations; `finish` turns them into what a target's rows look like.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

from PIL import Image as Pillow

from curation.exporters import ExportRow, get_target
from curation.exporters.trl import split_parts

MakeRow = Callable[..., ExportRow]
Row = dict[str, Any]
Mutation = Callable[[Row], object]

RL = ("deepeyes", "deepeyes-v2", "verl")
SFT = ("verl-sft", "llamafactory", "ms-swift", "trl")
CHATS = (*RL, *SFT)


def unbroken(target: str, make_row: MakeRow) -> Row:
    """A row that passes every rule, still with plain conversations."""
    plain = get_target("verl-sft" if target == "trl" else target)
    return copy.deepcopy(plain.row(make_row(target), index="row-1", split="train"))


def finish(target: str, row: Row) -> Row:
    """The row in the target's own form."""
    if target == "trl" and isinstance(row.get("messages"), list):
        for message in row["messages"]:
            if isinstance(message["content"], str):
                message["content"] = split_parts(message["content"])
    return row


def first_user(row: Row) -> Row:
    chat: list[Row] = row.get("prompt") or row["messages"]
    return chat[1]


def system(row: Row) -> Row:
    chat: list[Row] = row.get("prompt") or row["messages"]
    return chat[0]


def set_image(row: Row, encoded: object) -> None:
    row["images"][0]["bytes"] = encoded


def picture(mode: str, width: int, height: int, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Pillow.new(mode, (width, height)).save(buffer, format=form, **options)
    return buffer.getvalue()


def turned() -> bytes:
    """A JPEG whose EXIF data asks for a quarter turn."""
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return picture("RGB", 64, 48, "JPEG", exif=exif)


IMAGES: list[tuple[str, Mutation]] = [
    ("types", lambda row: row.pop("images")),
    ("types", lambda row: row.update(videos=[])),
    ("types", lambda row: row.update(images=None)),
    ("types", lambda row: row.update(images="[]")),
    ("types", lambda row: row.update(images=["aGVsbG8="])),
    ("types", lambda row: set_image(row, None)),
    ("types", lambda row: row["images"][0].update(bytes=None, path="picture.png")),
    ("types", lambda row: set_image(row, "aGVsbG8=")),
    ("types", lambda row: row["images"][0].pop("path")),
    ("types", lambda row: row["images"][0].update(height=64)),
    ("images_present", lambda row: row["images"].clear()),
    ("image_decodes", lambda row: set_image(row, b"no image")),
    ("image_decodes", lambda row: set_image(row, b"")),
    ("image_decodes", lambda row: set_image(row, row["images"][0]["bytes"][:-30])),
    ("image_decodes", lambda row: set_image(row, picture("RGB", 64, 64, "JPEG")[:-80])),
    ("image_side", lambda row: set_image(row, picture("RGB", 27, 400))),
    ("image_aspect", lambda row: set_image(row, picture("L", 28 * 200, 28))),
    ("image_mode", lambda row: set_image(row, picture("I;16", 64, 64))),
    ("image_upright", lambda row: set_image(row, turned())),
]

CHAT: list[tuple[str, Mutation]] = [
    ("types", lambda row: first_user(row).update(content=None)),
    ("types", lambda row: first_user(row).update(content=[{"type": "text", "value": "a"}])),
    ("types", lambda row: first_user(row).update(content="\ud800 <image>")),
    ("types", lambda row: first_user(row).update(name="reader")),
    ("types", lambda row: first_user(row).pop("role")),
    ("placeholder_count", lambda row: first_user(row).update(content="no image")),
    ("placeholder_count", lambda row: first_user(row).update(content="<image><image>")),
    ("placeholder_count", lambda row: row["images"].append(row["images"][0])),
    ("placeholder_role", lambda row: system(row).update(content="An <image> is shown.")),
    ("media_words", lambda row: first_user(row).update(content="<image><video>")),
    ("media_words", lambda row: first_user(row).update(content="<image><audio>")),
    ("special_tokens", lambda row: first_user(row).update(content="<image><|im_end|>")),
    ("special_tokens", lambda row: first_user(row).update(content="<image><|image_pad|>")),
    ("length", lambda row: system(row).update(content="word " * 20_000)),
    ("length", lambda row: system(row).update(content="1" * 21_000)),
]

RL_ONLY: list[tuple[str, Mutation]] = [
    ("types", lambda row: row.update(prompt='[{"role": "user"}]')),
    ("types", lambda row: row.update(data_source=None)),
    ("types", lambda row: row.update(extra_info=None)),
    ("length", lambda row: set_image(row, picture("L", 3000, 2500))),
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

SFT_ONLY: list[tuple[str, Mutation]] = [
    ("types", lambda row: row["messages"][2].update(tool_calls=None)),
    ("types", lambda row: row.update(tools="[]")),
    ("types", lambda row: row.update(enable_thinking=True)),
    ("turn_order", lambda row: row["messages"].pop()),
    ("turn_order", lambda row: row["messages"][2].update(role="user")),
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

NAMES = [
    ("deepeyes", "data_source", "perception"),
    ("deepeyes", "env_name", "deepeyes_v2"),
    ("deepeyes-v2", "data_source", "vstar"),
    ("deepeyes-v2", "env_name", "code_toolbox_lingyi_v1"),
    ("verl", "agent_name", "react_agent"),
]
"""Target, column and a value that the trainer does not know."""

CASES = [
    *((target, rule, mutate) for rule, mutate in IMAGES for target in (*CHATS, "hub")),
    *((target, rule, mutate) for rule, mutate in CHAT for target in CHATS),
    *((target, rule, mutate) for rule, mutate in RL_ONLY for target in RL),
    *((target, rule, mutate) for rule, mutate in SFT_ONLY for target in SFT),
]
"""Every mutation on every target where it applies."""

KINDS = len(IMAGES) + len(CHAT) + len(RL_ONLY) + len(SFT_ONLY) + len(NAMES)
