"""What LLaMA-Factory's loader, converter, template and collator make of an export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import yaml
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer
from model import arguments, forward, tell


def load_rows(stage: str, sides: Sequence[str], collator: Callable[..., Any]) -> None:
    """Take every row through `get_dataset` as `stage` has it, and two through a forward pass.

    `sides` are the prefixes of a row's conversations; each must be whole and have a label.
    """
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
    data = get_dataset(template, model_args, data_args, training_args, stage=stage, **parts)
    rows = [data["train_dataset"][number] for number in range(len(data["train_dataset"]))]
    for side in sides:
        assert all(any(label >= 0 for label in row[f"{side}labels"]) for row in rows)
        assert all(len(row[f"{side}input_ids"]) < data_args.cutoff_len for row in rows)
    collate = collator(template=template, label_pad_token_id=-100, **parts)
    tell(len(rows), forward(checkpoint, dict(collate(rows[:2]))))
