"""What is measured is what will be trained: the same tokens, and a hash of all that shapes them."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from curation.embedded import CHECKPOINT
from curation.exporters import ExportRow, get_target
from curation.models import chat_messages
from curation.models.environment import environment_python, serve_environment
from curation.recipes.file import parse_recipe
from curation.recipes.recipe import Recipe
from curation.rollouts.sampler import Sampler
from curation.stages.admit import admit
from tests.curation.scene import picture, recipe_text, sum_sample

RECIPE = recipe_text("http://127.0.0.1:9/v1")


def recipe(dialect: str = "deepeyes-v2", text: str = RECIPE) -> Recipe:
    return parse_recipe(text.replace("[arms.tools]", f'[arms.tools]\ndialect = "{dialect}"'), "r")


def sampler(recipe: Recipe, arm: str = "tools") -> Sampler:
    return Sampler.of(arm, recipe.arms.run()[arm], recipe.policy, "model", recipe)


def trainers_parts(content: str) -> str | list[dict[str, str]]:
    """A message as the forks' `rl_dataset.py` builds it: split at the placeholders."""
    pieces = [piece for piece in re.split("(<image>)", content) if piece]
    if "<image>" not in pieces:
        return content
    return [
        {"type": "image"} if piece == "<image>" else {"type": "text", "text": piece}
        for piece in pieces
    ]


TOKENS = """
import base64, io, json, sys
from PIL import Image
from transformers import AutoProcessor

processor = AutoProcessor.from_pretrained(sys.argv[1])
for line in sys.stdin:
    case = json.loads(line)
    images = [Image.open(io.BytesIO(base64.b64decode(data))) for data in case["images"]]
    text = processor.apply_chat_template(case["messages"], add_generation_prompt=True)
    print(json.dumps(processor(text=[text], images=images)["input_ids"][0]), flush=True)
"""
"""The model's own processor, which expands each image to its tokens; it needs torchvision, which
only the serving environment has."""


def tokens(cases: list[tuple[list[dict[str, Any]], Sequence[bytes]]]) -> list[list[int]]:
    """Token ids of conversations with their images."""
    lines = [
        json.dumps({"messages": messages, "images": [b64encode(i).decode() for i in images]})
        for messages, images in cases
    ]
    python = environment_python(serve_environment())
    done = subprocess.run(
        [python, "-W", "ignore", "-c", TOKENS, CHECKPOINT],
        input="\n".join(lines),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.serve
def test_the_measured_prompt_is_the_trained_one_token_by_token() -> None:
    asked, trained = [], []
    for target, images in product(("deepeyes", "deepeyes-v2"), (1, 2)):
        shown = tuple(picture(seed, side=64 + 60 * seed) for seed in range(images))
        sample = admit("sums", sum_sample(3, images=shown)).sample
        chosen = recipe(target)
        opening = sampler(chosen).opening(sample.question, images)
        asked.append((chat_messages(opening, shown), shown))
        row = ExportRow(sample, list(shown), target, chosen.tools)
        exported = get_target(target).row(row, index="0", split="train")
        messages = [
            {"role": message["role"], "content": trainers_parts(message["content"])}
            for message in exported["prompt"]
        ]
        trained.append((messages, [image["bytes"] for image in exported["images"]]))
    found = tokens(asked + trained)
    assert found[: len(asked)] == found[len(asked) :]
    assert len({tuple(ids) for ids in found}) == len(asked)
    assert min(map(len, found)) > 50


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("max_in_flight = 8", "max_in_flight = 8\nmax_pixels = 262144"),
        ("[arms.tools]", "[arms.tools]\ntemperature = 0.7"),
        ("[arms.tools]", "[arms.tools]\ntop_p = 0.9"),
        ("[arms.tools]", "[arms.tools]\nmax_tokens = 65"),
        ("[arms.tools]", "[arms.tools]\nmax_images = 6"),
        ("[arms.tools]", "[arms.tools]\nmax_response_tokens = 4096"),
        ("seed = 7", "seed = 8"),
    ],
)
def test_whatever_shapes_a_reply_is_part_of_its_identity(old: str, new: str) -> None:
    other = sampler(recipe(text=RECIPE.replace(old, new, 1)))
    assert other.mark != sampler(recipe()).mark


def test_published_budgets_leave_no_mark_so_that_earlier_rollouts_stay_valid() -> None:
    written = "[arms.tools]\nmax_images = 12\nmax_response_tokens = 20480"
    stated = sampler(recipe(text=RECIPE.replace("[arms.tools]", written)))
    assert stated.mark == sampler(recipe()).mark
    assert not {"max_images", "max_response_tokens", "native"} & set(stated.settings)


def test_arms_differ_in_what_they_show_and_the_prompt_says_so() -> None:
    arms = "[arms.text_only]\n[arms.placebo]\n[arms.schema_only]\n[arms.tools]"
    chosen = recipe(text=RECIPE.replace("[arms.tools]", arms))
    by_arm = {name: sampler(chosen, name) for name in chosen.arms.run()}
    assert len({each.mark for each in by_arm.values()}) == len(by_arm)
    assert by_arm["placebo"].prompt_mark == by_arm["tools"].prompt_mark
    assert by_arm["schema_only"].prompt_mark == by_arm["tools"].prompt_mark
    assert by_arm["text_only"].prompt_mark != by_arm["direct"].prompt_mark
    assert "<image>" not in by_arm["text_only"].opening("Why?", 1)[1].content


def test_the_embedded_models_template_is_known() -> None:
    embedded = re.sub('url = ".*"', "embedded = true", RECIPE, count=1)
    assert len(sampler(recipe(text=embedded)).template) == 12
    assert sampler(recipe()).template == "the server's"
