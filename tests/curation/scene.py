"""A small world for tests of whole runs: a source of sums and a model that is a function of the
request, so that every run over it ends with the same rows.

The level of a question (0 to 8) is how often, in eight attempts on average, the scripted policy is
right without tools. With tools it computes the sum in the sandbox and is right when the question
is `solvable`; the teacher, told apart by its temperature, is always right.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from curation.sources import RawSample
from schemas import Box
from tests.scripted_server import Fault, images_of, text_of

RECIPE = """
seed = 7
[[sources]]
use = "tests.curation.scene:sums"
name = "sums"
limit = {limit}
[[filters]]
use = "min_image_side"
at_least = 28
[policy]
url = "{url}"
max_tokens = 64
max_in_flight = 8
[teacher]
url = "{url}"
max_tokens = 64
max_in_flight = 8
temperature = 0.5
[arms.direct]
n = 8
[arms.tools]
n = 4
[decide]
preset = "deepeyes-v2"
[sandbox]
cell_seconds = 120.0
[teach]
attempts = 2
[[exports]]
target = "deepeyes-v2"
[[exports]]
target = "llamafactory"
"""


SMALL = """
seed = 7
[[sources]]
{source}
[policy]
{policy}
[arms.direct]
{direct}
[decide]
preset = "deepeyes"
fine_grained = []
"""
TAUGHT = """
[sandbox]
cell_seconds = 120.0
[teach]
rl_share = 1.0
{teach}
"""


def recipe_text(url: str, limit: int = 24) -> str:
    return RECIPE.format(url=url, limit=limit)


def small_recipe(policy: str, *, source: str, direct: str = "n = 4") -> str:
    """A recipe that decides by direct attempts alone and exports nothing; arguments are the keys
    of its tables, and more tables can be appended."""
    return SMALL.format(source=source, policy=policy, direct=direct)


def taught_recipe(policy: str, *, limit: int = 3, teach: str = "attempts = 2") -> str:
    """A small recipe whose policy, asked twice at each of `limit` sums, also teaches what it
    solves once."""
    small = small_recipe(policy, source=sums_table(limit), direct="n = 2\ncurtail = false")
    return small + TAUGHT.format(teach=teach)


def sums_table(limit: int) -> str:
    """The keys of a source of sums."""
    return f'use = "tests.curation.scene:sums"\nname = "sums"\nlimit = {limit}'


def picture(seed: int, side: int = 64) -> bytes:
    """A small PNG that differs from seed to seed."""
    noise = random.Random(seed).randbytes(side * side * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), noise).save(buffer, format="PNG")
    return buffer.getvalue()


def sum_sample(number: int, **changes: Any) -> RawSample:
    """Row `number` of the source; `changes` replace fields."""
    level = number % 9
    kind = "solvable" if number % 2 == 0 else "unsolvable"
    values: dict[str, Any] = {
        "origin_id": f"sum-{number}",
        "images": (picture(number),),
        "question": f"What is {number} plus {level}? Level {level}, {kind}.",
        "answers": (str(number + level),),
        "answer_kind": "number",
        "category": "perception",
        "license": "CC0-1.0",
        "origin": "tests",
        "evidence": (Box(0, 8, 8, 40, 40),),
    }
    return RawSample(**(values | changes))


def sums(*, limit: int = 24) -> Iterator[RawSample]:
    """The first `limit` sums."""
    return (sum_sample(number) for number in range(limit))


def bare(*, limit: int = 24) -> Iterator[RawSample]:
    """The same without evidence boxes."""
    return (sum_sample(number, evidence=()) for number in range(limit))


_QUESTION = re.compile(r"What is (\d+) plus (\d+)\? Level (\d+), (\w+)\.")


def reply(request: dict[str, Any]) -> list[str] | Fault:
    """What the scripted model says; the same request always gets the same replies."""
    found = _QUESTION.search(text_of(request))
    assert found is not None
    left, right, level, kind = int(found[1]), int(found[2]), int(found[3]), found[4]
    seeds = [request["seed"] + i for i in range(request["n"])]
    if "<code>" in request["messages"][0]["content"] or "</code>" in request.get("stop", ()):
        last = request["messages"][-1]["content"]
        if len(request["messages"]) == 2:
            return [_code(left, right, seed) for seed in seeds]
        assert len(images_of(request)) == 2, f"no crop was shown after {last!r}"
        knows = kind == "solvable" or request["temperature"] < 1
        answer = left + right if knows else 0
        return [f"<think>It says so.</think>\n<answer>{answer}</answer>" for _ in seeds]
    draws = [random.Random(f"{found[0]}/{seed}").random() * 8 for seed in seeds]
    return [f"<answer>{left + right if draw < level else -1}</answer>" for draw in draws]


def _code(left: int, right: int, seed: int) -> str:
    lines = (
        f"crop = image_1.crop((0, 0, {32 + seed % 8}, 32))",
        "show(crop)",
        f"print({left} + {right})",
    )
    return "<think>Look.</think>\n<code>\n```python\n" + "\n".join(lines) + "\n```\n</code>"


def write_recipe(folder: Path, url: str, limit: int = 24) -> Path:
    path = folder / "scene.toml"
    path.write_text(recipe_text(url, limit))
    return path
