"""What LLaMA-Factory's loader, converter, template and collator make of an export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer
from model import arguments, forward, tell


@dataclass(frozen=True, slots=True)
class Loaded:
    """An export's rows as the trainer has tokenized them, and what it did that with."""

    rows: list[dict[str, Any]]
    template: Any
    parts: dict[str, Any]
    """Tokenizer and processor, by the names of the trainer's parameters."""
    cutoff: int


def loaded(stage: str) -> Loaded:
    """Every row through `get_dataset` as `stage` has it."""
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
    return Loaded(rows, template, parts, data_args.cutoff_len)


def load_rows(stage: str, sides: Sequence[str], collator: Callable[..., Any]) -> None:
    """Take every row through `get_dataset`, and two through a forward pass.

    `sides` are the prefixes of a row's conversations; each must be whole and have a label.
    """
    made = loaded(stage)
    for side in sides:
        assert all(any(label >= 0 for label in row[f"{side}labels"]) for row in made.rows)
        assert all(len(row[f"{side}input_ids"]) < made.cutoff for row in made.rows)
    collate = collator(template=made.template, label_pad_token_id=-100, **made.parts)
    _, checkpoint, _ = arguments()
    tell(len(made.rows), forward(checkpoint, dict(collate(made.rows[:2]))))
