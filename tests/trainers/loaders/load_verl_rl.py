"""Every row through verl's RLHFDataset with its length filter, collate, and a forward pass."""

from __future__ import annotations

import os

from model import arguments, forward, tell
from omegaconf import OmegaConf
from qwen_vl_utils import process_vision_info
from verl.utils import hf_processor, hf_tokenizer
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

folder, checkpoint, shards = arguments()
processor = hf_processor(checkpoint)
config = OmegaConf.create(
    {
        "cache_dir": os.environ["HF_HOME"],
        "prompt_key": "prompt",
        "image_key": "images",
        "max_prompt_length": 8192,
        "filter_overlong_prompts": True,
        "filter_overlong_prompts_workers": 1,
        "return_raw_chat": True,
        "truncation": "error",
    }
)
rows = RLHFDataset(shards, hf_tokenizer(checkpoint), config, processor)
batch = collate_fn([rows[number] for number in range(len(rows))])
prompt = list(batch["raw_prompt"][0])
text = processor.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
images, _ = process_vision_info(prompt)
inputs = processor(text=[text], images=images, return_tensors="pt")
tell(len(batch["raw_prompt"]), forward(checkpoint, dict(inputs)))
