"""The model card: written from the figures, so that it cannot state what was not measured."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

from curation.embedded.bars import BARS

_CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---
# The embedded model of Toolsight

**A demonstration model.** It lets the whole pipeline run for real on a machine without a GPU or a
model hub. It knows nothing but small pictures of shapes, drawn charts and printed pages like
those it was trained on, and it is of no use for anything else.

{parameters:.1f} million parameters, Qwen2.5-VL architecture ({vision} vision blocks
of {width_vision}, {layers} language layers of {width}), bf16, {size:.1f} MiB with tokenizer
and curve. It loads unchanged in transformers and vLLM. A view has 24 to 40 image tokens: a whole
page is scaled down until small print is gone, a crop of it is readable.

## What it does

- *Direct*: answers in `<answer>` tags.
- *Tools, DeepEyesV2 grammar*: `<think>`, `<code>` that crops, shows or computes, then `<answer>`.
- *Tools, DeepEyes grammar*: `<think>`, `<tool_call>` with `image_zoom_in_tool`, then `<answer>`.

The system prompts of `curation/dialects/prompts` choose the mode. They are part of the training:
after a change of their wording the model has to be trained again.

## Figures

Held-out data (test splits: other seeds, other tables, other prose), served by vLLM, temperature 1,
{attempts} attempts each, {samples} samples of each source, tools executed in the sandbox:

    python -m curation.embedded.evaluate --samples {samples} --attempts {attempts} --card

| bar | least | measured |
|---|---|---|
{bars}

| figure | share |
|---|---|
{figures}

`reading`: questions whose answer is printed in one evidence box. `code`: DeepEyesV2 grammar,
`zoom`: DeepEyes grammar, `blank`: the same with every observation blank. `pages`: charts and
documents with all their questions.

## Training

From nothing, on data drawn on the fly from the train splits of `easy_vqa` (MIT), `charts` and
`documents` (tables and prose of vega-datasets 0.9.0), in {steps} steps and {minutes:.0f} minutes
on two CPU cores shared with other work:

    python -m curation.embedded.train --steps {steps}

![held-out loss and accuracy](training.png)

## Limits

It reads digits and a handful of words, finds marks by colour and place, and computes only with
python. It does not know names: questions by the name of a category are mostly guessed. Pages of
other sizes, other fonts and other questions are outside of what it knows.
"""


def card(folder: Path, figures: Mapping[str, float], samples: int, attempts: int) -> str:
    """The card of the checkpoint in `folder`."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    text, vision = config["text_config"], config["vision_config"]
    size = sum(path.stat().st_size for path in folder.iterdir())
    steps, seconds = _training(folder / "train.csv")
    return _CARD.format(
        parameters=_parameters(folder) / 1e6,
        vision=vision["depth"],
        width_vision=vision["hidden_size"],
        layers=text["num_hidden_layers"],
        width=text["hidden_size"],
        size=size / 2**20,
        attempts=attempts,
        samples=samples,
        steps=steps,
        minutes=seconds / 60,
        bars="\n".join(
            f"| {bar.says} | {bar.least:.0%} | {figures[bar.name]:.1%} |" for bar in BARS
        ),
        figures="\n".join(f"| {name} | {value:.1%} |" for name, value in figures.items()),
    )


def _parameters(folder: Path) -> int:
    """Counted from the header of the weight file; tied weights are stored once."""
    with (folder / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return sum(math.prod(shape) for shape in shapes)


def _training(log: Path) -> tuple[int, float]:
    """Steps and seconds of the training that made the checkpoint."""
    with log.open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return int(last["step"]), float(last["seconds"])
