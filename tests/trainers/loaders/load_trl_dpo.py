"""Every pair through the export's own loading function and TRL's collator, and a forward pass."""

from __future__ import annotations

import importlib.util
import os

from model import arguments, forward, tell
from transformers import AutoProcessor

folder, checkpoint, _ = arguments()
spec = importlib.util.spec_from_file_location("train", folder / "train.py")
assert spec is not None and spec.loader is not None
train = importlib.util.module_from_spec(spec)
spec.loader.exec_module(train)
rows = list(train.load(cache_dir=os.environ["HF_HOME"])["train"])

from trl.trainer.dpo_trainer import DataCollatorForVisionPreference  # noqa: E402

collate = DataCollatorForVisionPreference(AutoProcessor.from_pretrained(checkpoint))
batches = [collate([row]) for row in rows]
# The chosen side and the rejected one: both have tokens to compare.
assert all(batch["completion_mask"].sum(dim=1).min() > 0 for batch in batches)
tell(len(batches), forward(checkpoint, dict(batches[0])))
