"""Every row through the export's own loading function and TRL's collator, and a forward pass."""

from __future__ import annotations

from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling
from trl_rows import load_rows

load_rows(DataCollatorForVisionLanguageModeling)
