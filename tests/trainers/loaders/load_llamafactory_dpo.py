"""Every pair through LLaMA-Factory's loader, converter, template and collator; a forward pass."""

from __future__ import annotations

from llamafactory.data.collator import PairwiseDataCollatorWithPadding
from llamafactory_rows import load_rows

# Its DPO workflow reads preference data by the name of reward modelling, too.
load_rows("rm", ["chosen_", "rejected_"], PairwiseDataCollatorWithPadding)
