"""Every row through verl's MultiTurnSFTDataset and its collator, and a forward pass."""

from __future__ import annotations

from model import arguments, forward, tell
from verl.utils.dataset.dataset_utils import SFTTensorCollator
from verl_sft_rows import rows

_, checkpoint, _ = arguments()
items, _ = rows()
assert all(item["loss_mask"].sum() > 0 for item in items)
batch = SFTTensorCollator("no_padding")(items)
first = {"input_ids": items[0]["input_ids"][None], **items[0]["multi_modal_inputs"]}
tell(len(batch["input_ids"].unbind()), forward(checkpoint, first))
