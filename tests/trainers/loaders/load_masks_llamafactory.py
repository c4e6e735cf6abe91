"""The turns that LLaMA-Factory trains in every row, as `load_masks_ms_swift` tells them."""

from __future__ import annotations

import json

import yaml
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer
from model import arguments
from turns import shares

folder, checkpoint, _ = arguments()
config = yaml.safe_load((folder / "train.yaml").read_text())
config |= {
    "dataset_dir": str(folder),
    "media_dir": str(folder),
    "model_name_or_path": checkpoint,
    "output_dir": "out",
    "overwrite_cache": True,
    "preprocessing_num_workers": 1,
    "report_to": "none",
}
model_args, data_args, training_args, _, _ = get_train_args(config)
parts = load_tokenizer(model_args)
template = get_template_and_fix_tokenizer(parts["tokenizer"], data_args)
data = get_dataset(template, model_args, data_args, training_args, stage="sft", **parts)
told = []
for row in data["train_dataset"]:
    trained = [label >= 0 for label in row["labels"]]
    told.append(shares(parts["tokenizer"], row["input_ids"], trained))
print(json.dumps({"turns": told}))
