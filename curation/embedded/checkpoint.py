"""The files of a checkpoint: bf16 weights, tokenizer, template, processor, curve."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from curation.embedded import vocabulary
from curation.embedded.vocabulary import CHAT_TEMPLATE, processor_files, token_ids

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import Qwen2_5_VLForConditionalGeneration


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Ids that a Qwen2.5-VL configuration names."""
    names = {
        "stop": vocabulary.STOP,
        "end": vocabulary.END,
        "image": vocabulary.IMAGE_PAD,
        "video": "<|video_pad|>",
        "vision_start": vocabulary.VISION_START,
        "vision_end": vocabulary.VISION_END,
    }
    return dict(zip(names, token_ids(tokenizer, list(names.values())), strict=True))


def write(model: Qwen2_5_VLForConditionalGeneration, tokenizer: Tokenizer, out: Path) -> None:
    """Write everything that transformers and vLLM need to `out`; the model stays as it is."""
    import copy

    out.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(out)
    tokenizer.save(str(out / "tokenizer.json"))
    for name, content in processor_files().items():
        (out / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (out / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")


def plot(log: Path, out: Path) -> None:
    """The curve of a training: held-out loss and share of exact final turns over steps."""
    from matplotlib.figure import Figure

    with log.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "held-out"]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for kind in sorted({row["kind"] for row in rows}):
        points = [row for row in rows if row["kind"] == kind]
        steps = [int(row["step"]) for row in points]
        axes[0].plot(steps, [float(row["loss"]) for row in points], label=kind)
        axes[1].plot(steps, [float(row["final"]) for row in points], label=kind)
    axes[0].set(title="held-out loss", xlabel="step", yscale="log")
    axes[1].set(title="held-out final turns exact", xlabel="step", ylim=(0, 1))
    axes[1].legend()
    figure.savefig(out, dpi=100)
