"""Every row through verl's MultiTurnSFTDataset and its collator, and a forward pass."""

from __future__ import annotations

from model import arguments, forward, tell
from omegaconf import OmegaConf
from verl.utils import hf_processor, hf_tokenizer
from verl.utils.dataset.dataset_utils import SFTTensorCollator
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
rows = MultiTurnSFTDataset(shards, hf_tokenizer(checkpoint), config, hf_processor(checkpoint))
items = [rows[number] for number in range(len(rows))]
assert all(item["loss_mask"].sum() > 0 for item in items)
batch = SFTTensorCollator("no_padding")(items)
first = {"input_ids": items[0]["input_ids"][None], **items[0]["multi_modal_inputs"]}
tell(len(batch["input_ids"].unbind()), forward(checkpoint, first))
