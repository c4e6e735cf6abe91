"""Native tool calls: one action or a named fault, and the text that stands for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curation.dialects import Answer, Call, Code, Fault, Observed, get_dialect
from curation.dialects.hermes import native, reply_text
from curation.models import chat_messages
from curation.tools import tool_schema, zoom
from schemas import Message
from tests.curation.scene import picture

ZOOM = json.dumps(tool_schema(zoom))
DIALECT = get_dialect("openai", [ZOOM])


def function(name: str, arguments: object) -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": "x", "type": "function", "function": {"name": name, "arguments": text}}


def said(content: str | None, *calls: dict[str, Any]) -> str:
    return reply_text({"role": "assistant", "content": content, "tool_calls": list(calls)})


THOUGHT = "<think>Look closer.</think>"
TAGGED = 'print("<tool_call></tool_call>")'
BOX = {"bbox_2d": [1, 2, 30, 40]}


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (said(THOUGHT, function("zoom", BOX)), Call("zoom", BOX)),
        (said(None, function("zoom", BOX)), Call("zoom", BOX)),
        (said(THOUGHT, function("python", {"code": "print(1)\n"})), Code("print(1)\n")),
        (said(THOUGHT, function("python", {"code": TAGGED})), Code(TAGGED)),
        (said(f"{THOUGHT}<answer> 3 </answer>"), Answer("3")),
        (said(THOUGHT, function("zoom", BOX), function("zoom", BOX)), Fault("two_calls")),
        (said("<answer>3</answer>", function("zoom", BOX)), Fault("call_and_answer")),
        (said(THOUGHT, function("rotate", {"angle": 90})), Fault("unknown_tool")),
        (said(THOUGHT, function("zoom", '{"bbox_2d": [1,')), Fault("bad_json")),
        (said(THOUGHT, function("zoom", "[1, 2]")), Fault("bad_json")),
        (said(THOUGHT, function("zoom", "")), Fault("missing_argument")),
        (said(THOUGHT, function("zoom", {"label": "cat"})), Fault("missing_argument")),
        (said(THOUGHT, function("python", {"code": 3})), Fault("bad_argument")),
        (said("The answer is 3."), Fault("no_action")),
        (said(None), Fault("no_action")),
    ],
)
def test_a_reply_is_one_action_or_a_named_fault(text: str, action: object) -> None:
    assert DIALECT.parse(text) == action


def test_a_call_is_written_as_qwens_template_writes_it() -> None:
    assert said(f"{THOUGHT}\n", function("zoom", '{"bbox_2d":[1, 2, 30, 40]}')) == (
        "<think>Look closer.</think>\n"
        '<tool_call>\n{"name": "zoom", "arguments": {"bbox_2d":[1, 2, 30, 40]}}\n</tool_call>'
    )
    with pytest.raises(TypeError, match="not text"):
        reply_text({"content": [{"type": "image_url"}]})


def conversation() -> list[Message]:
    """Two actions: one whose result has images, and one whose code prints the closing tag."""
    shown = DIALECT.observation(Observed("5\n", "", 2))
    printed = DIALECT.observation(Observed("a\n</tool_response>\nb"))
    return [
        *DIALECT.opening("Why?", 1),
        Message("assistant", said(THOUGHT, function("zoom", BOX))),
        Message("user", shown),
        Message("assistant", said(None, function("python", {"code": TAGGED}))),
        Message("user", printed),
    ]


def test_a_conversation_goes_out_with_calls_results_and_tools() -> None:
    messages, tools = native(chat_messages(conversation(), [picture(1), picture(2), picture(3)]))
    roles = ["system", "user", "assistant", "tool", "user", "assistant", "tool"]
    assert [message["role"] for message in messages] == roles
    assert [each["function"]["name"] for each in tools] == ["python", "zoom"]
    assert tools[1] == json.loads(ZOOM)
    assert "<tools>" not in messages[0]["content"] and "# Tools" not in messages[0]["content"]
    first, second = messages[2]["tool_calls"][0], messages[5]["tool_calls"][0]
    assert (messages[2]["content"], messages[5]["content"]) == (THOUGHT, None)
    assert json.loads(first["function"]["arguments"]) == BOX
    assert json.loads(second["function"]["arguments"]) == {"code": TAGGED}
    assert first["id"] == messages[3]["tool_call_id"] != second["id"] == messages[6]["tool_call_id"]
    assert messages[3]["content"] == "5\n[image 1][image 2]"
    kinds = [part["type"] for part in messages[4]["content"]]
    assert kinds == ["text", "image_url", "image_url"]
    assert messages[6]["content"] == "a\n</tool_response>\nb"


def test_examples_before_the_question_and_notes_after_a_result_keep_their_places() -> None:
    system, question = DIALECT.opening("Why?", 0)
    told = Message("system", f"Be brief. {system.content} Thank you.")
    example = [Message("user", "How?"), *conversation()[2:4], Message("assistant", "<answer>")]
    noted = Message("user", DIALECT.observation(Observed("5")) + "\nNow crop.")
    turns = [told, *example, question, *conversation()[4:5], noted]
    messages, tools = native(chat_messages(turns, [picture(1), picture(2)]))
    roles = "system user assistant tool user assistant user assistant tool user"
    assert [message["role"] for message in messages] == roles.split()
    assert messages[0]["content"].startswith("Be brief. ") and len(tools) == 2
    assert messages[0]["content"].endswith(" Thank you.")
    assert messages[5]["content"] == "<answer>"
    assert messages[2]["tool_calls"][0]["id"] == messages[3]["tool_call_id"]
    assert messages[7]["tool_calls"][0]["id"] == messages[8]["tool_call_id"] != "call00002"
    assert messages[9]["content"] == [{"type": "text", "text": "Now crop."}]


def test_a_call_that_the_server_left_in_the_text_is_a_call() -> None:
    left = (
        f'{THOUGHT}<tool_call>{{"name": "zoom", "arguments": {json.dumps(BOX)}}}</tool_call> Wait.'
    )
    assert DIALECT.parse(left) == Call("zoom", BOX)
    seen = DIALECT.observation(Observed(answer="a cat"))
    turns = [*DIALECT.opening("Why?", 0), Message("assistant", left), Message("user", seen)]
    messages, _ = native(chat_messages(turns, []))
    assert messages[2]["content"] == f"{THOUGHT} Wait."
    assert messages[2]["tool_calls"][0]["function"]["name"] == "zoom"
    assert messages[3]["content"] == "a cat"


@pytest.mark.parametrize(
    ("observed", "text"),
    [
        (Observed(error="too small"), "Error: too small"),
        (Observed(answer="1. <image>\nA cat\n2. <image>"), "1. [image 1]\nA cat\n2. [image 2]"),
        (Observed("", "NameError: x"), "NameError: x"),
        (Observed(), "(no output)"),
    ],
)
def test_a_result_names_its_images_and_shows_them_after_it(observed: Observed, text: str) -> None:
    words = DIALECT.observation(observed)
    assert words.startswith(f"<tool_response>\n{text}\n</tool_response>")
    assert words.count("<image>") == (observed.answer or "").count("<image>")


def test_a_tool_of_the_recipe_may_stand_in_for_python() -> None:
    own = json.dumps(tool_schema(zoom, name="python"))
    assert [*map(json.loads, _tools(own))] == [json.loads(own)]


def _tools(*schemas: str) -> list[str]:
    system = get_dialect("openai", schemas).opening("Why?", 0)[0].content
    return system.partition("<tools>\n")[2].partition("\n</tools>")[0].splitlines()


def test_its_prompt_is_read_from_a_file_of_its_own() -> None:
    folder = Path(__file__).parents[3] / "curation" / "dialects" / "prompts"
    written = (folder / "openai.txt").read_text(encoding="utf-8").rstrip("\n")
    assert DIALECT.opening("Why?", 0)[0].content.startswith(written + "\n\n# Tools\n\n")
