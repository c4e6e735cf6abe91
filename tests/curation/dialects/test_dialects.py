"""Dialects against the published environments' rules."""

from __future__ import annotations

import pytest

from curation.dialects import Answer, Call, Code, Fault, Observed, get_dialect

FENCED = "<code>\n```python\nprint({})\n```\n</code>"
ZOOM = (
    '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 3, 4]}}\n'
    "</tool_call>"
)


@pytest.mark.parametrize(
    ("name", "text", "action"),
    [
        ("direct", "<answer> 12 </answer>", Answer("12")),
        ("direct", "12", Fault("no_answer")),
        ("direct", "<think><answer>1</answer></think><answer>2</answer>", Answer("2")),
        (
            "deepeyes",
            f"<think>a</think>{ZOOM}",
            Call("image_zoom_in_tool", {"bbox_2d": [1, 2, 3, 4]}),
        ),
        ("deepeyes", f"<think>a</think>{ZOOM}<answer>x</answer>", Answer("x")),
        ("deepeyes", "<tool_call>nonsense</tool_call>", Fault("bad_json")),
        ("deepeyes", '<tool_call>{"name": 3}</tool_call>', Fault("bad_json")),
        ("deepeyes", '<tool_call>["a"]</tool_call>', Fault("bad_json")),
        ("deepeyes", "I do not know", Fault("no_action")),
        ("deepeyes-v2", FENCED.format(1), Code("print(1)")),
        ("deepeyes-v2", FENCED.format(1) + FENCED.format(2), Code("print(2)")),
        ("deepeyes-v2", FENCED.format(1) + ZOOM, Code("print(1)")),
        ("deepeyes-v2", "<code>print(1)</code>", Fault("no_python_fence")),
        ("deepeyes-v2", FENCED.format(1) + "<answer>7</answer>", Answer("7")),
        (
            "deepeyes-v2",
            '<tool_call>{"name": "image_search"}</tool_call>',
            Call("image_search", {}),
        ),
        ("deepeyes-v2", "<answer></answer>", Answer("")),
    ],
)
def test_what_a_reply_asks_for(name: str, text: str, action: object) -> None:
    assert get_dialect(name).parse(text) == action


def test_the_image_stands_before_the_question() -> None:
    for name in ("direct", "deepeyes", "deepeyes-v2"):
        system, user = get_dialect(name).opening("Why?", 2)
        assert (system.role, user.role) == ("system", "user")
        assert user.content.startswith("<image><image>\n")
        assert "Why?" in user.content


def test_observations_are_worded_as_the_environments_word_them() -> None:
    v2 = get_dialect("deepeyes-v2")
    assert v2.observation(Observed("5\n", "", 2)) == (
        "Code execution result:\nstdout:\n```\n5\n```\n\nstderr:\n```\n\n```"
        "\n\nImages:\n<image><image>"
    )
    assert "Images" not in v2.observation(Observed("5"))
    v1 = get_dialect("deepeyes").observation(Observed(images=1))
    assert v1.startswith("<tool_response><image>\nThink first, call **image_zoom_in_tool** if")
    assert v1.endswith("<answer>...</answer> </tool_response>")
    assert get_dialect("deepeyes").observation(Observed(error="too small")) == "Error: too small"


def test_an_unknown_dialect_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match="direct, deepeyes, deepeyes-v2"):
        get_dialect("deepeyes-v3")
