"""The rollout loop against a scripted server and the real sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curation.images import ImageStore
from curation.rollouts.sampler import sample_seed
from tests.curation.rollouts.rolling import SAMPLE, Closed, cell, roll, script, turn_of
from tests.curation.scene import picture
from tests.scripted_server import Fault, ScriptedServer, Text, images_of, text_of


def test_direct_attempts_are_one_request_with_neighbouring_seeds(tmp_path: Path) -> None:
    with ScriptedServer(lambda request: ["<answer>3</answer>", "no idea", ("<ans", "length")]) as s:
        rollouts = roll(tmp_path, s, dialect="direct", attempts=(2, 3, 4))
    (request,) = s.requests
    seed = sample_seed(5, "tools", SAMPLE)
    assert (request["n"], request["seed"]) == (3, seed + 2)
    assert [rollout.seed for rollout in rollouts] == [seed + 2, seed + 3, seed + 4]
    assert [rollout.rollout_id for rollout in rollouts] == ["rollout-2", "rollout-3", "rollout-4"]
    assert [r.stop_reason for r in rollouts] == ["answered", "parse_error", "length"]
    assert [r.prediction for r in rollouts] == ["3", None, None]
    assert sum(r.turns[0].prompt_tokens for r in rollouts) == 10  # the prompt was paid once
    assert sum(r.turns[0].completion_tokens for r in rollouts) == 4


def test_code_runs_and_what_it_shows_comes_back_as_images(tmp_path: Path) -> None:
    code = cell("show(image_1.crop((0, 0, 32, 40)))", "print(1 + 2)")
    with ScriptedServer(script(code, "<think>3</think><answer>3</answer>")) as server:
        (rollout,) = roll(tmp_path, server)
    assert (rollout.stop_reason, rollout.prediction) == ("answered", "3")
    call = rollout.turns[0].call
    assert call is not None and (call.name, call.stdout.strip(), call.error) == (
        "python",
        "3",
        None,
    )
    assert "<image>" in call.text and len(call.image_ids) == 1
    assert rollout.turns[1].call is None
    shown = ImageStore(tmp_path / "images").read(call.image_ids[0])
    assert images_of(server.requests[1]) == [picture(1), shown]
    assert text_of(server.requests[1]).count("3") > text_of(server.requests[0]).count("3")
    assert server.requests[0]["seed"] != server.requests[1]["seed"]


def test_attempts_of_a_sample_do_not_share_variables(tmp_path: Path) -> None:
    code = cell("print('seen' if 'mark' in globals() else 'fresh')", "mark = 1")
    with ScriptedServer(script(code, code, "<answer>3</answer>")) as server:
        rollouts = roll(tmp_path, server, attempts=(0, 1))
    for rollout in rollouts:
        printed = [turn.call.stdout.strip() for turn in rollout.turns if turn.call]
        assert printed == ["fresh", "seen"]


def test_errors_are_told_to_the_model_and_it_may_go_on(tmp_path: Path) -> None:
    calls = (
        cell("1 / 0"),
        '<tool_call>{"name": "search", "arguments": {}}</tool_call>',
        "<answer>3</answer>",
    )
    with ScriptedServer(script(*calls)) as server:
        (rollout,) = roll(tmp_path, server)
    assert rollout.stop_reason == "answered"
    first, second = (turn.call for turn in rollout.turns[:2])
    assert first and first.error and "ZeroDivisionError" in first.error
    assert second and second.error and "search" in second.error
    assert "ZeroDivisionError" in text_of(server.requests[1])


def test_zooming_in_the_deepeyes_dialect_needs_no_session(tmp_path: Path) -> None:
    call = (
        '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [4, 4, 44, 54]}}'
        "</tool_call>"
    )
    with ScriptedServer(script(call, "<answer>3</answer>")) as server:
        (rollout,) = roll(tmp_path, server, dialect="deepeyes")
    made = rollout.turns[0].call
    assert made is not None and made.name == "image_zoom_in_tool" and len(made.image_ids) == 1
    assert len(images_of(server.requests[1])) == 2


def test_limits_end_a_rollout_with_their_reason(tmp_path: Path) -> None:
    with ScriptedServer(script(cell("print(1)"))) as server:
        (rollout,) = roll(tmp_path, server, max_turns=3)
        assert rollout.stop_reason == "max_turns"
        assert [turn.call is None for turn in rollout.turns] == [False, False, True]
        server.reply = script((cell("print(1)"), "length"))
        assert roll(tmp_path, server)[0].stop_reason == "length"
        server.reply = script("")
        (rollout,) = roll(tmp_path, server)
        assert (rollout.stop_reason, rollout.error) == ("parse_error", "no_action")
        server.reply = script("<image> " + cell("print(1)"))
        (rollout,) = roll(tmp_path, server)
        assert (rollout.stop_reason, rollout.error) == ("parse_error", "image_placeholder")


def test_printed_placeholders_are_no_images(tmp_path: Path) -> None:
    with ScriptedServer(script(cell("print('<' + 'image>')"), "<answer>3</answer>")) as server:
        (rollout,) = roll(tmp_path, server)
    assert rollout.stop_reason == "answered"
    assert rollout.turns[0].call and "<image>" not in rollout.turns[0].call.text
    assert len(images_of(server.requests[1])) == 1


def test_a_request_that_fails_ends_its_attempt_alone(tmp_path: Path) -> None:
    def reply(request: dict[str, Any]) -> list[str] | Fault:
        if len(request["messages"]) == 2:
            return [cell("print('a')"), cell("print('b')")]
        if "\nb\n" in text_of(request):
            return Fault(status=400, message="too long")
        return ["<answer>3</answer>"]

    with ScriptedServer(reply) as server:
        good, bad = roll(tmp_path, server, attempts=(0, 1))
    assert good.stop_reason == "answered"
    assert bad.stop_reason == "model_error" and "too long" in (bad.error or "")


def test_a_lost_session_ends_the_rollout(tmp_path: Path) -> None:
    with ScriptedServer(script(cell("import os", "os._exit(1)"))) as server:
        (rollout,) = roll(tmp_path, server)
    assert rollout.stop_reason == "tool_lost"


BAD: dict[str, tuple[Text, str, str | None]] = {
    "no grammar": ("The answer is 3.", "parse_error", "no_action"),
    "code without a fence": ("<code>print(1)</code>", "parse_error", "no_python_fence"),
    "no JSON": ("<tool_call>zoom</tool_call>", "parse_error", "bad_json"),
    "empty": ("", "parse_error", "no_action"),
    "never stops": (("so " * 64, "length"), "length", "cut off after 64 tokens"),
    "an image of its own": (
        "<image>\n" + cell("print(1)"),
        "parse_error",
        "image_placeholder",
    ),
    "an image as data": (
        "data:image/png;base64,iVBORw0KGgo=",
        "parse_error",
        "no_action",
    ),
}


@pytest.mark.parametrize(("said", "reason", "error"), BAD.values(), ids=BAD)
def test_a_bad_reply_is_the_reason_why_a_rollout_ends(
    tmp_path: Path, said: Text, reason: str, error: str | None
) -> None:
    with ScriptedServer(script(said)) as server:
        (rollout,) = roll(tmp_path, server, sandbox=Closed)
    assert (rollout.stop_reason, rollout.error, rollout.prediction) == (reason, error, None)
    assert len(rollout.turns) == 1


@pytest.mark.parametrize("dialect", ["direct", "deepeyes", "deepeyes-v2", "openai"])
def test_an_echo_of_the_prompt_is_no_answer(tmp_path: Path, dialect: str) -> None:
    """The prompt shows how to answer, so its echo would parse as one."""

    def echo(request: dict[str, Any]) -> list[str]:
        return [text_of(request)] * request["n"]

    with ScriptedServer(echo) as server:
        (rollout,) = roll(tmp_path, server, dialect=dialect, sandbox=Closed)
    assert (rollout.stop_reason, rollout.error) == ("parse_error", "echo")
    assert rollout.prediction is None


def test_of_two_actions_the_one_is_executed_that_the_environment_executes(tmp_path: Path) -> None:
    both = cell("print('first')") + cell("print('second')")
    with ScriptedServer(script(both, "<answer>3</answer>")) as server:
        (rollout,) = roll(tmp_path, server)
    assert rollout.turns[0].call and rollout.turns[0].call.stdout.strip() == "second"
    assert rollout.stop_reason == "answered"  # and the check `grammar` rejects it


def test_another_samples_image_is_not_there(tmp_path: Path) -> None:
    with ScriptedServer(script(cell("show(image_2)"), "<answer>3</answer>")) as server:
        (rollout,) = roll(tmp_path, server)
    call = rollout.turns[0].call
    assert call and call.error and "image_2" in call.error and call.image_ids == ()


LIST = '{"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": [1]}}]}'
"""A reply whose content is no text."""


@pytest.mark.parametrize("fault", [Fault(cut=True), Fault(body=LIST)])
def test_a_connection_that_is_cut_in_the_middle_ends_its_rollout(
    tmp_path: Path, fault: Fault
) -> None:
    def reply(request: dict[str, Any]) -> list[str] | Fault:
        return [cell("print(1)")] if turn_of(request) == 0 else fault

    with ScriptedServer(reply) as server:
        (rollout,) = roll(tmp_path, server)
    assert rollout.stop_reason == "model_error" and len(rollout.turns) == 1


def tokens(request: dict[str, Any]) -> int:
    """A hundred for the opening, fifty more a turn."""
    return 100 + 50 * turn_of(request)


def test_a_turn_that_does_not_fit_is_not_asked_for(tmp_path: Path) -> None:
    """A turn may have 64 of 214 tokens: there is room for it after 106, and none after 156."""
    server = ScriptedServer(script(cell("print(1)")), max_model_len=214, prompt_tokens=tokens)
    with server:
        (rollout,) = roll(tmp_path, server, max_turns=9)
    assert rollout.stop_reason == "context_full" and (rollout.error or "").endswith("of 214 tokens")
    assert server.count == len(rollout.turns) == 2
    assert all(turn.call for turn in rollout.turns)


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 214 tokens. However, you requested 300 tokens.",
        "The decoder prompt (length 300) is longer than the maximum model length of 214.",
        "The input (300 tokens) is longer than the model's context length (214 tokens).",
        "the request exceeds the available context size",
    ],
)
def test_a_refusal_for_length_is_a_full_context_and_no_failed_request(
    tmp_path: Path, message: str
) -> None:
    def reply(request: dict[str, Any]) -> list[str] | Fault:
        full = turn_of(request) > 0
        return Fault(status=400, message=message) if full else [cell("print(1)")]

    with ScriptedServer(reply) as server:
        (rollout,) = roll(tmp_path, server)
        assert rollout.stop_reason == "context_full" and message in (rollout.error or "")
        server.reply = lambda request: Fault(status=400, message=message)
        (rollout,) = roll(tmp_path, server)
        assert (rollout.stop_reason, rollout.turns) == ("context_full", ())


def test_budgets_of_images_and_tokens_end_a_rollout(tmp_path: Path) -> None:
    showing = cell("show(image_1)", "show(image_1.rotate(90))")
    with ScriptedServer(script(showing), prompt_tokens=tokens) as server:
        (rollout,) = roll(tmp_path, server, max_images=4)
        assert (rollout.stop_reason, rollout.error) == ("max_images", "5 images")
        assert [len(turn.call.image_ids) for turn in rollout.turns if turn.call] == [2, 2]
        asked = server.count
        (rollout,) = roll(tmp_path, server, max_response_tokens=50)
        assert rollout.stop_reason == "max_response_tokens"
        assert server.count - asked == 2 and rollout.turns[-1].call is None
