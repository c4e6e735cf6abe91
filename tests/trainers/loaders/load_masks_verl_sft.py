"""The turns that verl's MultiTurnSFTDataset trains, as `load_masks_ms_swift` tells them."""

from __future__ import annotations

import json

from turns import shares
from verl_sft_rows import rows

items, tokenizer = rows()
told = []
for item in items:
    trained = [bool(flag) for flag in item["loss_mask"].tolist()]
    told.append(shares(tokenizer, item["input_ids"].tolist(), trained))
print(json.dumps({"turns": told}))
