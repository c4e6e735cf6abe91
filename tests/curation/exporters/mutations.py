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
from curation.exporters.base import can_mask
from curation.exporters.checks import joined
from curation.exporters.trl import split_parts

MakeRow = Callable[..., ExportRow]
Row = dict[str, Any]
Mutation = Callable[[Row], object]

RL = ("deepeyes", "deepeyes-v2", "verl")
SFT = ("verl-sft", "llamafactory", "ms-swift", "trl")
DPO = ("llamafactory-dpo", "ms-swift-dpo", "trl-dpo")
CHATS = (*RL, *SFT, *DPO)
PARTED = ("trl", "trl-dpo")
"""Targets whose messages hold parts."""


def unbroken(target: str, make_row: MakeRow) -> Row:
    """A row that passes every rule, still with plain conversations."""
    row = copy.deepcopy(get_target(target).row(make_row(target), index="row-1", split="train"))
    for message in parted_messages(target, row):
        message["content"] = joined(message["content"])
    if "rejected_messages" in row:  # A change of the prompt is one of both sides.
        row["rejected_messages"][:-1] = row["messages"][:-1]
    return row


def finish(target: str, row: Row) -> Row:
    """The row in the target's own form."""
    for message in parted_messages(target, row):
        if isinstance(message["content"], str):
            message["content"] = split_parts(message["content"])
    if can_mask(get_target(target).SCHEMA):
        row["messages"] = [{"loss": None, **message} for message in row["messages"]]
    return row


def parted_messages(target: str, row: Row) -> list[Row]:
    """Messages whose contents are lists of parts in the target's own form."""
    columns = ("messages", "prompt", "chosen", "rejected") if target in PARTED else ()
    lists = [row[name] for name in columns if isinstance(row.get(name), list)]
    return [message for messages in lists for message in messages]


def said(row: Row, side: str) -> Row:
    """The last reply of a side of a pair."""
    if f"{side}_messages" in row:
        messages: list[Row] = row[f"{side}_messages"]
        return messages[-1]
    own = row.get(side, row.get("messages"))
    reply: Row = own[-1] if isinstance(own, list) else own
    return reply


def begun(row: Row) -> list[Row]:
    """The conversation that a pair begins with."""
    messages: list[Row] = row.get("prompt") or row["messages"]
    return messages


def first_user(row: Row) -> Row:
    chat: list[Row] = row.get("prompt") or row["messages"]
    return chat[1]


def system(row: Row) -> Row:
    chat: list[Row] = row.get("prompt") or row["messages"]
    return chat[0]


def reworded(row: Row, number: int, content: str) -> None:
    """Another prompt on the rejected side alone."""
    messages = row["rejected_messages"]
    messages[number] = {**messages[number], "content": content}


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
    ("image_decodes", lambda row: set_image(row, b"no image")),
    ("image_decodes", lambda row: set_image(row, b"")),
    ("image_decodes", lambda row: set_image(row, row["images"][0]["bytes"][:-30])),
    ("image_decodes", lambda row: set_image(row, picture("RGB", 64, 64, "JPEG")[:-80])),
    ("image_side", lambda row: set_image(row, picture("RGB", 27, 400))),
    ("image_aspect", lambda row: set_image(row, picture("L", 28 * 200, 28))),
    ("image_mode", lambda row: set_image(row, picture("I;16", 64, 64))),
    ("image_upright", lambda row: set_image(row, turned())),
]


def no_images(row: Row) -> None:
    row["images"].clear()


TEXT_TOO = ("llamafactory", "ms-swift")
"""Targets that take rows without an image; there its placeholder is one too many."""

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

FLAGS: list[tuple[str, Mutation]] = [
    ("types", lambda row: row["messages"][2].update(loss=0.0)),
    ("loss", lambda row: row["messages"][4].update(loss=False)),
    ("loss", lambda row: row["messages"][3].update(loss=False)),
]

DPO_ONLY: list[tuple[str, Mutation]] = [
    ("types", lambda row: said(row, "rejected").update(content=None)),
    ("types", lambda row: said(row, "chosen").update(loss=True)),
    ("turn_order", lambda row: begun(row).insert(2, {"role": "user", "content": "go on"})),
    ("turn_order", lambda row: begun(row)[2].update(role="tool")),
    ("turn_order", lambda row: begun(row).pop(1)),
    ("empty_reply", lambda row: said(row, "rejected").update(content=" \n")),
    ("empty_reply", lambda row: said(row, "chosen").update(content="")),
    ("different", lambda row: said(row, "rejected").update(content=said(row, "chosen")["content"])),
    ("turn_start", lambda row: said(row, "chosen").update(content="So <answer>4</answer>")),
    ("turn_end", lambda row: said(row, "chosen").update(content="<think>a</think> so")),
    ("turn_tags", lambda row: said(row, "chosen").update(content="<think>a<answer>4</answer>")),
    ("placeholder_role", lambda row: said(row, "rejected").update(content="see <image>")),
    ("media_words", lambda row: said(row, "rejected").update(content="see <video>")),
    ("special_tokens", lambda row: said(row, "rejected").update(content="<|im_end|>")),
    ("length", lambda row: said(row, "rejected").update(content="1" * 21_000)),
]

ONE_REPLY: list[tuple[str, Mutation]] = [
    ("one_reply", lambda row: said(row, "chosen").update(role="assistant, user, assistant")),
    ("one_reply", lambda row: said(row, "rejected").update(role="user")),
]

TWO_IMAGE_LISTS: list[tuple[str, Mutation]] = [
    ("types", lambda row: row.update(rejected_images=None)),
    ("images_present", lambda row: row["rejected_images"].clear()),
    ("placeholder_count", lambda row: row["rejected_images"].pop()),
    ("image_decodes", lambda row: row["rejected_images"][1].update(bytes=b"no image")),
    ("image_side", lambda row: row["rejected_images"][0].update(bytes=picture("RGB", 27, 400))),
    ("turn_order", lambda row: row["rejected_messages"].pop()),
    ("same_prompt", lambda row: reworded(row, 0, "Be brief.")),
    ("same_prompt", lambda row: reworded(row, 1, "<image>\nWhat else?")),
]

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
    *(
        (target, "placeholder_count" if target in TEXT_TOO else "images_present", no_images)
        for target in (*CHATS, "hub")
    ),
    *((target, rule, mutate) for rule, mutate in CHAT for target in CHATS),
    *((target, rule, mutate) for rule, mutate in RL_ONLY for target in RL),
    *((target, rule, mutate) for rule, mutate in SFT_ONLY for target in SFT),
    *((target, rule, mutate) for rule, mutate in DPO_ONLY for target in DPO),
    *(
        (target, rule, mutate)
        for rule, mutate in ONE_REPLY
        for target in ("llamafactory-dpo", "trl-dpo")
    ),
    *(("ms-swift", rule, mutate) for rule, mutate in FLAGS),
    *(("ms-swift-dpo", rule, mutate) for rule, mutate in TWO_IMAGE_LISTS),
]
"""Every mutation on every target where it applies."""

KINDS = sum(
    map(len, (IMAGES, CHAT, RL_ONLY, SFT_ONLY, FLAGS, DPO_ONLY, ONE_REPLY, TWO_IMAGE_LISTS, NAMES))
)
