"""The real Qwen2.5-VL class with a tiny random model: image tokens must meet their features."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, Qwen2_5_VLForConditionalGeneration


def forward(checkpoint: str, inputs: dict[str, Any]) -> float:
    """Mean of the logits of one batch; raises where tokens and features do not match."""
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(checkpoint)
    model = Qwen2_5_VLForConditionalGeneration(config).float().eval()
    known = ("input_ids", "attention_mask", "pixel_values", "image_grid_thw", "mm_token_type_ids")
    batch = {name: inputs[name] for name in known if inputs.get(name) is not None}
    with torch.no_grad():
        return float(model(**batch).logits.float().mean())


def arguments() -> tuple[Path, str, list[str]]:
    """The export, the checkpoint with the processor, and the export's shards."""
    folder, checkpoint = Path(sys.argv[1]), sys.argv[2]
    return folder, checkpoint, sorted(map(str, folder.glob("train-*.parquet")))


def tell(rows: int, logits: float) -> None:
    """The last line of output, which the test reads."""
    print(json.dumps({"rows": rows, "logits": logits}))
