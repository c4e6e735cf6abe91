"""A small recipe without tools, so that flows are over in a second."""

from __future__ import annotations

from pathlib import Path

RECIPE = """
seed = 7
[[sources]]
use = "tests.curation.scene:sums"
name = "sums"
limit = 9
[policy]
url = "{url}"
max_tokens = 64
[arms.direct]
n = 4
[arms.text_only]
n = 2
scope = "all"
[decide]
preset = "deepeyes"
fine_grained = []
[[exports]]
target = "deepeyes"
"""


def write_small(folder: Path, url: str) -> Path:
    path = folder / "small.toml"
    path.write_text(RECIPE.format(url=url))
    return path
