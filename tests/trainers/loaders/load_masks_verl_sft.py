"""The turns that verl's MultiTurnSFTDataset trains, as `load_masks_ms_swift` tells them."""

from __future__ import annotations

import json

from model import arguments
from omegaconf import OmegaConf
from turns import shares
from verl.utils import hf_processor, hf_tokenizer
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

folder, checkpoint, shards = arguments()
config = OmegaConf.create(
    {
        "max_length": 20480,
        "truncation": "error",
        "pad_mode": "no_padding",
        "messages_key": "messages",
    }
)
tokenizer = hf_tokenizer(checkpoint)
rows = MultiTurnSFTDataset(shards, tokenizer, config, hf_processor(checkpoint))
told = []
for number in range(len(rows)):
    row = rows[number]
    trained = [bool(flag) for flag in row["loss_mask"].tolist()]
    told.append(shares(tokenizer, row["input_ids"].tolist(), trained))
print(json.dumps({"turns": told}))
