"""Every pair through LLaMA-Factory's loader, converter, template and collator; a forward pass."""

from __future__ import annotations

import yaml
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.data.collator import PairwiseDataCollatorWithPadding
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer
from model import arguments, forward, tell

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
# Its DPO workflow reads preference data by the name of reward modelling, too.
data = get_dataset(template, model_args, data_args, training_args, stage="rm", **parts)
rows = [data["train_dataset"][number] for number in range(len(data["train_dataset"]))]
for side in ("chosen", "rejected"):
    assert all(any(label >= 0 for label in row[f"{side}_labels"]) for row in rows)
    assert all(len(row[f"{side}_input_ids"]) < data_args.cutoff_len for row in rows)
collate = PairwiseDataCollatorWithPadding(template=template, label_pad_token_id=-100, **parts)
tell(len(rows), forward(checkpoint, dict(collate(rows[:2]))))
