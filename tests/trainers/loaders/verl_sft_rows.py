"""An export's rows as verl's MultiTurnSFTDataset makes them."""

from __future__ import annotations

from typing import Any

from model import arguments
from omegaconf import OmegaConf
from verl.utils import hf_processor, hf_tokenizer
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset


def rows() -> tuple[list[dict[str, Any]], Any]:
    """Every row, and the tokenizer."""
    _, checkpoint, shards = arguments()
    config = OmegaConf.create(
        {
            "max_length": 20480,
            "truncation": "error",
            "pad_mode": "no_padding",
            "messages_key": "messages",
        }
    )
    tokenizer = hf_tokenizer(checkpoint)
    data = MultiTurnSFTDataset(shards, tokenizer, config, hf_processor(checkpoint))
    return [data[number] for number in range(len(data))], tokenizer
