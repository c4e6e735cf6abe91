"""The turns that TRL trains in every row, as `load_masks_ms_swift` tells them."""

from __future__ import annotations

import importlib.util
import json
import os

from model import arguments
from transformers import AutoProcessor
from turns import shares

folder, checkpoint, _ = arguments()
spec = importlib.util.spec_from_file_location("train", folder / "train.py")
assert spec is not None and spec.loader is not None
train = importlib.util.module_from_spec(spec)
spec.loader.exec_module(train)

from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling  # noqa: E402

processor = AutoProcessor.from_pretrained(checkpoint)
collate = DataCollatorForVisionLanguageModeling(processor)
told = []
for row in train.load(cache_dir=os.environ["HF_HOME"])["train"]:
    batch = collate([row])
    trained = [label >= 0 for label in batch["labels"][0].tolist()]
    told.append(shares(processor.tokenizer, batch["input_ids"][0].tolist(), trained))
print(json.dumps({"turns": told}))
