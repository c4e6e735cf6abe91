"""The embedded model: a small Qwen2.5-VL, its training from nothing and its evaluation.

Only `train` needs torch and transformers; to serve the checkpoint, `curation.models` is enough.
"""

from pathlib import Path

CHECKPOINT = Path(__file__).parent / "checkpoint"
"""Folder with the weights, tokenizer, chat template and card that ship with the package."""
