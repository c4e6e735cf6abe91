"""Every row through ms-swift's strict loader and template, and a forward pass."""

from __future__ import annotations

import os

from model import arguments, forward, tell
from swift.dataset import load_dataset
from swift.model import get_model_processor
from swift.template import get_template

folder, checkpoint, shards = arguments()
os.environ["ROOT_IMAGE_DIR"] = str(folder)
_, processor = get_model_processor(checkpoint, load_model=False, model_type="qwen2_5_vl")
template = get_template(processor, max_length=20480, truncation_strategy="raise")
template.set_mode("train")
data, _ = load_dataset(shards, strict=True, num_proc=1, load_from_cache_file=False)
rows = [template.encode(row) for row in data]
assert all(any(label >= 0 for label in row["labels"]) for row in rows)
tell(len(rows), forward(checkpoint, dict(template.data_collator(rows[:1]))))
