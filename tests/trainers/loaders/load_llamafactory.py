"""Every row through LLaMA-Factory's loader, converter, template and collator; a forward pass."""

from __future__ import annotations

from llamafactory.data import SFTDataCollatorWith4DAttentionMask
from llamafactory_rows import load_rows

load_rows("sft", [""], SFTDataCollatorWith4DAttentionMask)
