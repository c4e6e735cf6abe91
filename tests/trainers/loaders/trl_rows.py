"""What an export's own loading function and a collator of TRL make of an export."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

from model import arguments, forward, tell
from transformers import AutoProcessor


def load_rows(
    collator: Callable[..., Any], *, sound: Callable[[Any], bool] = lambda batch: True
) -> None:
    """Take every row through the collator, and one through a forward pass; batches are `sound`."""
    folder, checkpoint, _ = arguments()
    spec = importlib.util.spec_from_file_location("train", folder / "train.py")
    assert spec is not None and spec.loader is not None
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    rows = train.load(cache_dir=os.environ["HF_HOME"])["train"]
    collate = collator(AutoProcessor.from_pretrained(checkpoint))
    batches = [collate([row]) for row in rows]
    assert all(map(sound, batches))
    tell(len(batches), forward(checkpoint, dict(batches[0])))
