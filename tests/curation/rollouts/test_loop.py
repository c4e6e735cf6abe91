"""The rollout loop against a scripted server and the real sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.dialects import get_dialect
from curation.images import ImageStore
from curation.models import ModelClient
from curation.rollouts.actions import Workbench
from curation.rollouts.loop import Roller, Unit
from curation.rollouts.sampler import Sampler, sample_seed
from curation.sandbox import Limits, Sandbox
from curation.tools import toolbox
from schemas import Rollout
from tests.curation.scene import picture
from tests.scripted_server import Fault, ReplyFunction, ScriptedServer, images_of, text_of

QUESTION = "What is 1 plus 2?"


def cell(*lines: str) -> str:
    return "<think>Look.</think>\n<code>\n```python\n" + "\n".join(lines) + "\n```\n</code>"


def script(*turns: str | tuple[str, str]) -> ReplyFunction:
    """A model that says the same at every turn, whatever it sees."""

    def reply(request: dict[str, Any]) -> Sequence[str | tuple[str, str]]:
        turn = (len(request["messages"]) - 2) // 2
        return [turns[min(turn, len(turns) - 1)]] * request["n"]

    return reply


def roll(
    folder: Path,
    server: ScriptedServer,
    *,
    dialect: str = "deepeyes-v2",
    attempts: Sequence[int] = (0,),
    max_turns: int = 4,
) -> list[Rollout]:
    store = ImageStore(folder / "images")
    image = store.path(store.put(picture(1)))
    sampler = Sampler("tools", "scripted", get_dialect(dialect), 1.0, 1.0, 64, max_turns, seed=5)
    unit = Unit("s" * 64, "sums", QUESTION, (image,), {i: f"rollout-{i}" for i in attempts})

    async def go() -> list[Rollout]:
        async with (
            ModelClient([server.url], retries=0) as client,
            Sandbox(Limits(cell_seconds=60)) as sandbox,
        ):
            bench = None if dialect == "direct" else Workbench(sandbox, toolbox(dialect))
            return await Roller(sampler, client, store, bench).roll(unit)

    return asyncio.run(go())


def test_direct_attempts_are_one_request_with_neighbouring_seeds(tmp_path: Path) -> None:
    with ScriptedServer(lambda request: ["<answer>3</answer>", "no idea", ("<ans", "length")]) as s:
        rollouts = roll(tmp_path, s, dialect="direct", attempts=(2, 3, 4))
    (request,) = s.requests
    seed = sample_seed(5, "tools", "s" * 64)
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
