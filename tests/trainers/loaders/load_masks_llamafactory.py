"""The turns that LLaMA-Factory trains in every row, as `load_masks_ms_swift` tells them."""

from __future__ import annotations

import json

from llamafactory_rows import loaded
from turns import shares

made = loaded("sft")
told = []
for row in made.rows:
    trained = [label >= 0 for label in row["labels"]]
    told.append(shares(made.parts["tokenizer"], row["input_ids"], trained))
print(json.dumps({"turns": told}))
