"""What ms-swift's row preprocessing and template make of an export.

Its loader needs a later `datasets` than LLaMA-Factory allows and an earlier one than verl; what it
does to each row does not, so rows are read with pyarrow here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.parquet as pq
from model import arguments, forward, tell
from swift.dataset.preprocessor import MessagesPreprocessor, RowPreprocessor
from swift.model import get_model_processor
from swift.template import get_template


def load_rows(mode: str, sides: Sequence[str]) -> None:
    """Take every row through the template in a mode of ms-swift, and one through a forward pass.

    `sides` are the prefixes of a row's conversations; each must have a label.
    """
    _, checkpoint, shards = arguments()
    _, processor = get_model_processor(checkpoint, load_model=False, model_type="qwen2_5_vl")
    template = get_template(
        processor,
        template_type="qwen2_5_vl",
        max_length=20480,
        truncation_strategy="raise",
        loss_scale="default",
    )
    template.set_mode(mode)
    # Its templates know the ids of the released tokenizer; the embedded one has others.
    template.image_token_id = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    rows = [template.encode(row) for row in _prepared(shards)]
    for side in sides:
        assert all(any(label >= 0 for label in row[f"{side}labels"]) for row in rows)
    tell(len(rows), forward(checkpoint, dict(template.data_collator(rows[:1]))))


def _prepared(shards: Sequence[str]) -> Iterator[dict[str, Any]]:
    prepare = MessagesPreprocessor()
    for shard in shards:
        for row in pq.read_table(shard).to_pylist():
            prepared = prepare.preprocess(row)
            assert prepared is not None
            RowPreprocessor._check_rejected_response(prepared)
            RowPreprocessor._check_messages(prepared)
            yield prepared
