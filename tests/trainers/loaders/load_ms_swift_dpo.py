"""Every pair through ms-swift's row preprocessing and template, and a forward pass."""

from __future__ import annotations

from ms_swift_rows import load_rows

load_rows("rlhf", ["chosen_", "rejected_"])
