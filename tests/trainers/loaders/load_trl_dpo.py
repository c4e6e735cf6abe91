"""Every pair through the export's own loading function and TRL's collator, and a forward pass."""

from __future__ import annotations

from typing import Any

from trl.trainer.dpo_trainer import DataCollatorForVisionPreference
from trl_rows import load_rows


def both_sides_have_tokens(batch: dict[str, Any]) -> bool:
    """The chosen one and the rejected one, to be compared."""
    return bool(batch["completion_mask"].sum(dim=1).min() > 0)


load_rows(DataCollatorForVisionPreference, sound=both_sides_have_tokens)
