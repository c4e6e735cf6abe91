"""A small recipe without tools, so that flows are over in a second."""

from __future__ import annotations

from pathlib import Path

from tests.curation.scene import small_recipe, sums_table

_MORE = """
[arms.text_only]
n = 2
scope = "all"
[[exports]]
target = "deepeyes"
"""


def write_small(folder: Path, url: str) -> Path:
    path = folder / "small.toml"
    policy = f'url = "{url}"\nmax_tokens = 64'
    path.write_text(small_recipe(policy, source=sums_table(9)) + _MORE)
    return path
