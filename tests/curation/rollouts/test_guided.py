"""Guided attempts against a scripted server and the real sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from curation.dialects import get_dialect
from curation.images import ImageStore, identify
from curation.models import ModelClient
from curation.rollouts.actions import Workbench
from curation.rollouts.conversation import Unit
from curation.rollouts.guided import GuidedRoller
from curation.rollouts.loop import Roller
from curation.rollouts.sampler import Sampler
from curation.sandbox import Limits, Sandbox
from curation.tools import toolbox
from schemas import Author, Box, Rollout
from tests.curation.scene import picture
from tests.scripted_server import ScriptedServer, images_of, text_of

NOTE = "A note about your next step"
ANSWER = "<think>Now I can read it.</think>\n<answer>42</answer>"


def speaker(*thoughts: str) -> Any:
    """A model that writes a thought where a note asks for one, and else answers."""
    said = chain(thoughts, repeat(thoughts[-1] if thoughts else ""))

    def reply(request: dict[str, Any]) -> list[str]:
        return [next(said) if NOTE in text_of(request) else ANSWER]

    return reply


def roll(
    folder: Path,
    server: ScriptedServer,
    *plans: str,
    dialect: str = "deepeyes-v2",
    evidence: Sequence[Box] = (Box(0, 80, 80, 100, 100),),
    metadata: str = "{}",
) -> Rollout:
    store = ImageStore(folder / "images")
    image = store.path(store.put(picture(1, side=256)))
    sampler = Sampler("guided", "scripted", get_dialect(dialect), 1.0, 1.0, 64, 5, seed=5)
    unit = Unit(
        "a" * 64,
        "sums",
        "What is it?",
        (image,),
        {0: "rollout"},
        evidence=tuple(evidence),
        metadata=metadata,
    )

    async def go() -> list[Rollout]:
        async with (
            ModelClient([server.url], retries=0) as client,
            Sandbox(Limits(cell_seconds=60)) as sandbox,
        ):
            bench = Workbench(sandbox, toolbox(dialect))
            author = Author("kind", "scripted", "url", "CC0-1.0")
            roller = Roller(sampler, client, store, bench, author=author)
            return await GuidedRoller(roller, plans).roll(unit)

    (rollout,) = asyncio.run(go())
    return rollout


def shown(folder: Path, rollout: Rollout) -> list[tuple[int, int]]:
    """Sizes of the pictures that came back."""
    store = ImageStore(folder / "images")
    ids = [each for turn in rollout.turns if turn.call for each in turn.call.image_ids]
    images = [identify(store.read(each)) for each in ids]
    return [(image.width, image.height) for image in images]


def test_the_plan_acts_and_the_model_writes_every_word(tmp_path: Path) -> None:
    with ScriptedServer(speaker("<think>\nIt lies in the middle.\n</think>")) as server:
        rollout = roll(tmp_path, server, "look", dialect="deepeyes")
    first, last = rollout.turns
    assert first.text == (
        "<think>\nIt lies in the middle.\n</think>\n<tool_call>\n"
        '{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [58, 58, 122, 122]}}\n</tool_call>'
    )
    assert first.call and first.call.error is None and shown(tmp_path, rollout) == [(64, 64)]
    assert (last.text, rollout.prediction, rollout.stop_reason) == (ANSWER, "42", "answered")
    assert rollout.written_by == Author("kind", "scripted", "url", "CC0-1.0", plan="look")


def test_the_note_is_told_once_and_not_kept(tmp_path: Path) -> None:
    with ScriptedServer(speaker("It lies in the middle.")) as server:
        roll(tmp_path, server, "look", dialect="deepeyes")
    noted, answered = server.requests
    assert noted["stop"] == ["</think>"] and "[58, 58, 122, 122]" in text_of(noted)
    assert [message["role"] for message in noted["messages"]] == ["system", "user"]
    assert NOTE not in text_of(answered) and "</answer>" in answered["stop"]
    assert len(images_of(answered)) == 2, "the model sees the real observation"


def test_a_wrong_look_is_corrected_in_view_of_it(tmp_path: Path) -> None:
    with ScriptedServer(speaker("To the left.", "Not there, further right.")) as server:
        rollout = roll(tmp_path, server, "correct")
    assert [turn.call is not None for turn in rollout.turns] == [True, True, False]
    assert rollout.turns[1].text.startswith("<think>\nNot there, further right.\n</think>\n<code>")
    assert [len(images_of(request)) for request in server.requests] == [1, 2, 3]
    assert rollout.written_by and rollout.written_by.plan == "correct"


def test_values_are_looked_at_and_computed_with(tmp_path: Path) -> None:
    boxes = (Box(0, 0, 0, 40, 20), Box(0, 180, 180, 220, 200))
    with ScriptedServer(speaker("One is 12.", "The other is 30.", "I add them.")) as server:
        rollout = roll(
            tmp_path, server, "compute", evidence=boxes, metadata='{"computation": "12 + 30"}'
        )
    calls = [turn.call for turn in rollout.turns if turn.call]
    assert [len(call.image_ids) for call in calls] == [1, 1, 0]
    assert calls[-1].stdout.strip() == "42" and rollout.prediction == "42"


@pytest.mark.parametrize(
    "said", ["", "<think></think>", "I run <code>\n```python\n1\n```", "<answer>7</answer>"]
)
def test_a_reply_that_is_no_thought_ends_the_attempt(tmp_path: Path, said: str) -> None:
    with ScriptedServer(speaker(said)) as server:
        rollout = roll(tmp_path, server, "look")
    assert rollout.stop_reason == "parse_error" and rollout.prediction is None
    assert rollout.turns[0].call is None, "the plan does not act without a thought"


def test_an_attempt_that_no_plan_suits_is_a_free_one(tmp_path: Path) -> None:
    with ScriptedServer(speaker()) as server:
        rollout = roll(tmp_path, server, "compute")
    assert rollout.prediction == "42" and rollout.written_by
    assert rollout.written_by.plan is None and server.count == 1
